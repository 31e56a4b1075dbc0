/**
 * The alphas of a file in diffusers' own naming. diffusers 0.42.1 hands them to peft as patterns of names
 * (`get_peft_kwargs`): the first alpha of a network holds for every module without another, and a name that is the end
 * of others, such as `proj_out`, holds for those as well.
 */
import { roundedTo } from "./numbers.ts";
import { matchPatterns, suffixPattern } from "./patterns.ts";

/** An alpha, and its element type in the file: the reference computes in it. */
export interface Alpha {
  value: number;
  type: string;
}

/** A key and its alpha, in the order of the file. */
export type StoredAlpha = readonly [key: string, alpha: Alpha];

/** The alpha of each module, by name; undefined if the network has none. @throws Error with the sentence's end */
export function alphasOf(
  network: "transformer." | "text_encoder.",
  stored: readonly StoredAlpha[],
  names: readonly string[],
): ReadonlyMap<string, Alpha> | undefined {
  const own = stored.filter(([key]) => key.startsWith(network));
  const [first] = own;
  if (first === undefined) return undefined;
  const others = own.filter(([, alpha]) => alpha.value !== first[1].value);
  const patterns = others.map(([key]) => suffixPattern(nameOf(network, key.slice(network.length))));
  const indices = matchPatterns(patterns, names);
  return new Map(names.map((name, index) => [name, (others[indices[index]!] ?? first)[1]]));
}

/** For the text encoder, diffusers takes whatever follows the last dot for the suffix. */
function nameOf(network: string, key: string): string {
  if (network === "transformer.") return key.split(".lora_A.")[0]!.replaceAll(".alpha", "");
  return key.split(".down.")[0]!.split(".").slice(0, -1).join(".");
}

/** The factor that peft makes of an alpha and an edit's scale, each step rounded to alpha's own type. */
export function roundedFactor({ value, type }: Alpha, rank: number, scale: number): number {
  const rounded = roundedTo(type);
  return rounded(rounded(scale * value) / rank);
}
