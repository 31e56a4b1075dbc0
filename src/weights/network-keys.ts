/**
 * What a weights file holds, told by its keys. Files of a whole model put a prefix before the keys of each network;
 * ComfyUI and stable-diffusion.cpp do so even for one.
 */

/** A network that a single file may hold, as a pipeline describes it. */
export interface FileNetwork {
  /** What a message calls it, such as "an autoencoder". */
  text: string;
  /** Its folder in a checkpoint. */
  folder: string;
  /** Before its keys in files of several networks. One that another begins with stands after it. */
  prefixes: readonly string[];
  /** Sets of names that its weights may have; one whose signs may stand beside another's comes before it. */
  layouts: readonly FileLayout[];
  /** Keys of parts that are not used. */
  unused?: RegExp;
}

export interface FileLayout {
  name: string;
  /** Which model's network has these names, where those of several models have their own: "FLUX.2". */
  model?: string;
  /** Keys that show the layout; it has one of each. */
  signs: readonly RegExp[];
  /** Whether they are the network's own names, which a checkpoint's folder has. */
  isOwn?: boolean;
}

/** The network that a file is opened for, and all that the file may hold. */
export interface Wanted {
  network: FileNetwork;
  /** Whose network it is, where those of several models have their own names. */
  model?: string | undefined;
  known: readonly FileNetwork[];
}

/** A key's prefix and whose it is; none for a key without a known prefix. */
export function splitKey(
  key: string,
  known: readonly FileNetwork[],
): { network: FileNetwork | undefined; prefix: string } {
  for (const network of known) {
    const prefix = network.prefixes.find((one) => key.startsWith(one));
    if (prefix !== undefined) return { network, prefix };
  }
  return { network: undefined, prefix: "" };
}

/** Names of a network's weights. */
export interface Layout extends FileLayout {
  network: FileNetwork;
}

/** The names that these keys have, without their prefix; undefined if they are nobody's. */
export function layoutOf(keys: readonly string[], known: readonly FileNetwork[]): Layout | undefined {
  for (const network of known) {
    const layout = network.layouts.find(({ signs }) =>
      signs.every((sign) => keys.some((key) => sign.test(key))),
    );
    if (layout) return { network, ...layout };
  }
  return undefined;
}

/** What is wrong with a file that has these names; undefined if it is the wanted network's. */
export function mismatchOf({ network, model }: Layout, wanted: Wanted): string | undefined {
  if (network !== wanted.network) return `is ${network.text}, and ${wanted.network.text} is wanted`;
  if (model === wanted.model) return undefined;
  return `is ${network.text} of ${model}, and one of ${wanted.model} is wanted`;
}

/** What else users have at hand, which has keys of a network but is none. */
const OTHERS: readonly (readonly [sign: RegExp, text: string])[] = [
  [
    /^lora_(?:unet|te\d?|transformer)_|\.(?:lora_[AB](?:\.default)?|lora_down|lora_up|lora\.down|lora\.up)\.weight$/,
    "a LoRA",
  ],
  [/_lora\d?\.(?:down|up)\.weight$|\.(?:hada_w1_[ab]|lokr_w[12](?:_[ab])?)$/, "a LoRA"],
  [/^controlnet_(?:blocks|single_blocks|x_embedder)\./, "a ControlNet"],
  [/^(?:input_blocks|output_blocks)\.\d+\.|^down_blocks\.\d+\.resnets\./, "a UNet of Stable Diffusion"],
];
/** Ways of packing a matrix that are not read. */
const PACKED: readonly (readonly [sign: RegExp, text: string])[] = [
  [/\.quant_state\.bitsandbytes__nf4$/, "NF4 by bitsandbytes"],
  [/\.quant_state\.bitsandbytes__fp4$/, "FP4 by bitsandbytes"],
  [/\.weight_scale_2$/, "NVFP4"],
  [/\.qweight$/, "few bits by GPTQ, AWQ or SVDQuant"],
];

const signOf = <Name>(
  keys: readonly string[],
  signs: readonly (readonly [RegExp, Name])[],
): Name | undefined => signs.find(([sign]) => keys.some((key) => sign.test(key)))?.[1];

/** What the file with these keys is, if it is no network. */
export const otherFileOf = (keys: readonly string[]): string | undefined => signOf(keys, OTHERS);
/** How the file with these keys packs its matrices, if that is not read. */
export const packingOf = (keys: readonly string[]): string | undefined => signOf(keys, PACKED);

/** A prefix that is not known, before keys that are; undefined if there is none. */
export function unknownPrefixOf(
  keys: readonly string[],
  known: readonly FileNetwork[],
): { prefix: string; layout: Layout } | undefined {
  for (const key of keys) {
    for (let dot = key.indexOf("."); dot !== -1; dot = key.indexOf(".", dot + 1)) {
      const layout = layoutOf([key.slice(dot + 1)], known);
      if (layout !== undefined) return { prefix: key.slice(0, dot + 1), layout };
    }
  }
  return undefined;
}
