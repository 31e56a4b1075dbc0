/** The suffixes of a file's keys, which say what a tensor is to its module. */

export type Role = "down" | "up" | "bias" | "alpha" | "magnitude" | "doraScale" | "weight";

const ROLES: readonly [RegExp, Role][] = [
  // peft (with the adapter's name if a whole model was saved), sd-scripts, diffusers before peft, XLabs.
  [/\.(?:lora_A(?:\.default)?|lora_down|lora\.down|lora_linear_layer\.down|down)\.weight$/, "down"],
  [/\.(?:lora_B(?:\.default)?|lora_up|lora\.up|lora_linear_layer\.up|up)\.weight$/, "up"],
  [/\.lora_B(?:\.default)?\.bias$/, "bias"],
  [/(?:\.lora_A\.weight|\.lora_down\.weight)?\.alpha$/, "alpha"],
  [/\.lora_magnitude_vector(?:\.default)?(?:\.weight)?$/, "magnitude"],
  [/\.dora_scale$/, "doraScale"],
  // A norm's own weight, which replaces that of the network.
  [/\.(?:scale|weight)$/, "weight"],
];

/** Methods other than LoRA, by the keys in their files. */
const OTHER_METHODS: readonly [RegExp, string][] = [
  [/\.hada_(?:w[12]_[ab]|t[12])$/, "LoHa"],
  [/\.lokr_(?:w[12](?:_[ab])?|t2)$/, "LoKr"],
  [/\.(?:oft_blocks|oft_diag|oft_R(?:\.default)?\.weight)$/, "OFT"],
  [/\.lora_mid\.weight$/, "LoRA of convolutions"],
];

/** @returns undefined for a key that no LoRA has */
export function splitKey(key: string): { module: string; role: Role } | undefined {
  const [ending, role] = ROLES.find(([pattern]) => pattern.test(key)) ?? [];
  return ending && { module: key.replace(ending, ""), role: role! };
}

/** The method that a key belongs to, if it is not LoRA but one whose numbers mean something else. */
export const otherMethodOf = (key: string): string | undefined =>
  OTHER_METHODS.find(([pattern]) => pattern.test(key))?.[1];
