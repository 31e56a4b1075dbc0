/** Fills the catalogue's sentences with the names that one surface has for the library's fields. */
import { type Failure, type FailureKind, SENTENCES } from "./catalogue.ts";

/** How one surface words failures. */
export interface Surface {
  /**
   * Its names by the library's, where they differ. Items of lists have `[]`: the name of `loras[].scale` may have it as
   * well, and then gets the item's position.
   */
  readonly names: Readonly<Record<string, string>>;
  /** What it calls the image of a request. @param source the image's path or URL, where it has one */
  readonly image: (source: string | undefined) => string;
  /** Sentences that it words differently. */
  readonly sentences?: Partial<Record<FailureKind, string>>;
}

/** The library's own surface, whose sentences are the `message` of errors. */
export const LIBRARY: Surface = { names: {}, image: (source) => source ?? "the image" };

/** A failure in one sentence. */
export function sentenceOf(failure: Failure, surface: Surface = LIBRARY): string {
  const { kind, values } = failure;
  const template: string = surface.sentences?.[kind] ?? SENTENCES[kind];
  return template.replaceAll(/\{(\w+)\}/g, (_, slot: string) => {
    if (slot === "image") return surface.image(values["source"] as string | undefined);
    const value = String(values[slot]);
    if (slot !== "field" && slot !== "other") return value;
    const place = slot === "field" && values["place"] !== undefined ? ` (in ${values["place"]})` : "";
    return nameOf(value, surface) + place;
  });
}

/** What a surface calls a field of the library. */
export function nameOf(field: string, { names }: Pick<Surface, "names">): string {
  const own = names[field];
  if (own !== undefined) return own;
  const position = /\[\d+\]/.exec(field)?.[0];
  if (position === undefined) return field;
  return names[field.replace(position, "[]")]?.replace("[]", position) ?? field;
}
