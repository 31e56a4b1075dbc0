/**
 * The naming that a file is written in, told apart as diffusers 0.42.1 does (`FluxLoraLoaderMixin.lora_state_dict`),
 * because it decides which alphas count and which of two spellings of a layer.
 */
export interface Dialect {
  /**
   * Where a module's strength comes from: its own alpha; the alphas of the whole file, which peft then takes as
   * patterns of names; or nowhere, whatever alphas there are.
   */
  alphas: "own" | "patterns" | "none";
  /**
   * Whether alpha is multiplied into the stored numbers, in their own type: as a number, or as the tensor that it is in
   * the file, with the rules of tensors for the type of the product. For "cut", the second where rows are cut.
   */
  baking: "none" | "cut" | "tensor";
  /** Whether a file of this kind never has alphas, so that their absence says something. */
  isAlphaless: boolean;
  /** Whether A of a layer with swapped halves has its own halves swapped, too. */
  isDownSwapped: boolean;
  /** Of the namings in a file, only those of the highest count; of two spellings in them, the last in the file. */
  preference(key: string): number;
}

const PLAIN: Dialect = {
  alphas: "own",
  baking: "none",
  isAlphaless: false,
  isDownSwapped: false,
  preference: () => 0,
};

const TRANSFORMER = "transformer.";
const isOfDiffusers = (key: string): number => Number(/^(?:transformer|text_encoder)\./.test(key));

export function dialectOf(keys: readonly string[]): Dialect {
  const has = (text: string): boolean => keys.some((key) => key.includes(text));
  const starts = (text: string): boolean => keys.some((key) => key.startsWith(text));
  if (has(".lora_down.weight")) {
    if (starts(TRANSFORMER)) {
      // diffusers renames the matrices and leaves the alphas lying.
      return { ...PLAIN, alphas: "none", preference: (key) => Number(key.startsWith(TRANSFORMER)) };
    }
    if (!starts("lora_transformer_")) return { ...PLAIN, baking: "cut" };
    const preference = (key: string): number => Number(/^lora_(?:transformer|te1)_/.test(key));
    return { ...PLAIN, baking: "tensor", preference };
  }
  if (has("processor")) return { ...PLAIN, isAlphaless: true };
  if (has("query_norm.scale")) return { ...PLAIN, isAlphaless: true, isDownSwapped: true };
  if (has("base_model")) return PLAIN;
  return { ...PLAIN, alphas: "patterns", preference: isOfDiffusers };
}
