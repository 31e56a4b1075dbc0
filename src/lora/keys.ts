/** The suffixes of a file's keys, which say what a tensor is to its module. */

export type Role = "down" | "up" | "alpha";

const ROLES: readonly [RegExp, Role][] = [
  // peft (with the adapter's name if a whole model was saved), sd-scripts, older diffusers, XLabs.
  [/\.(?:lora_A(?:\.default)?|lora_down|lora\.down|down)\.weight$/, "down"],
  [/\.(?:lora_B(?:\.default)?|lora_up|lora\.up|up)\.weight$/, "up"],
  [/\.alpha$/, "alpha"],
];

/** Methods other than LoRA, by the keys in their files. */
const OTHER_METHODS: readonly [RegExp, string][] = [
  [/\.(?:dora_scale|lora_magnitude_vector(?:\.default)?(?:\.weight)?)$/, "DoRA"],
  [/\.hada_(?:w[12]_[ab]|t[12])$/, "LoHa"],
  [/\.lokr_(?:w[12](?:_[ab])?|t2)$/, "LoKr"],
];

/** @returns undefined for a key that no LoRA has */
export function splitKey(key: string): { module: string; role: Role } | undefined {
  const [ending, role] = ROLES.find(([pattern]) => pattern.test(key)) ?? [];
  return ending && { module: key.replace(ending, ""), role: role! };
}

/** The method that a key belongs to, if it is not LoRA but one whose numbers mean something else. */
export const otherMethodOf = (key: string): string | undefined =>
  OTHER_METHODS.find(([pattern]) => pattern.test(key))?.[1];
