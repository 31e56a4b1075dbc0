/** The size of the result: that of the image, one of the usual ones, or typed. */
import { element } from "./dom.ts";
import type { ServerSchema } from "./schema.ts";

export interface Size {
  width: number;
  height: number;
}

export interface SizeField {
  select: HTMLSelectElement;
  custom: HTMLInputElement;
  /** As the wire has it. */
  read(): string;
  write(value: string): void;
  /** Width and height of the result; not finite if what was typed is no size. */
  size(): Size;
  /** The control and the sentence, if the size is out of range. */
  problem(): { control: "size" | "custom"; sentence: string } | undefined;
  /** The shape of the source; without one, that is the server's default size. */
  setSource(source: Size | undefined): void;
  /** Whether a size is typed. */
  isCustom(): boolean;
}

const SHAPES = ["1024*1024", "1152*896", "896*1152", "1344*768", "768*1344"];
const AS_PICTURE = "as the image";
/** Every pixel of the source, however many; the wire's own word. */
const SOURCE = "source";
const CUSTOM = "custom";
const LABELS: Readonly<Record<string, string>> = { [SOURCE]: "exactly as the image" };
const SIZE = /^\s*(\d{1,5})\s*[*x×]\s*(\d{1,5})\s*$/i;

export function createSizeField({ fields, sides }: Pick<ServerSchema, "fields" | "sides">): SizeField {
  const [, width, height] = SIZE.exec(String(fields["size"]!.default)) ?? [];
  const usual = { width: Number(width), height: Number(height) };
  let source = usual;
  const select = element(
    "select",
    {},
    ...[AS_PICTURE, SOURCE, ...SHAPES, CUSTOM].map((text) =>
      element("option", { value: text }, LABELS[text] ?? text.replace("*", " × ")),
    ),
  );
  const custom = element("input", { type: "text", placeholder: "1024*1024", spellcheck: false });

  const isCustom = (): boolean => select.value === CUSTOM;

  function size(): Size {
    if (select.value === SOURCE) return source;
    if (select.value === AS_PICTURE) return likePicture(source, sides);
    const [, typedWidth, typedHeight] = SIZE.exec(isCustom() ? custom.value : select.value) ?? [];
    return { width: Number(typedWidth ?? Number.NaN), height: Number(typedHeight ?? Number.NaN) };
  }

  return {
    select,
    custom,
    size,
    isCustom,
    read() {
      const wanted = size();
      return select.value === SOURCE ? SOURCE : `${wanted.width}*${wanted.height}`;
    },
    write(value) {
      const own = likePicture(source, sides);
      if (value === SOURCE) select.value = SOURCE;
      else if (value === `${own.width}*${own.height}`) select.value = AS_PICTURE;
      else if (SHAPES.includes(value)) select.value = value;
      else {
        select.value = CUSTOM;
        custom.value = value;
      }
    },
    problem() {
      const wanted = size();
      const isInRange = [wanted.width, wanted.height].every((side) => side >= sides.min && side <= sides.max);
      if (isInRange || select.value === SOURCE) return undefined;
      const sentence = `Width and height, each from ${sides.min} to ${sides.max}, such as 1024*768.`;
      return { control: isCustom() ? "custom" : "size", sentence };
    },
    setSource: (next = usual) => void (source = next),
  };
}

/**
 * The shape of the image, at its own size if the server supports that; a side ratio above 6 to 1 is clamped
 * into range.
 */
function likePicture({ width, height }: Size, { min, max }: ServerSchema["sides"]): Size {
  const scale = Math.min(max / Math.max(width, height), Math.max(1, min / Math.min(width, height)));
  const side = (length: number): number => Math.min(max, Math.max(min, Math.round(length * scale)));
  return { width: side(width), height: side(height) };
}
