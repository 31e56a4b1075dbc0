/** How the wire calls the library's parameters when it words a failure; OpenAI's routes have the same names. */
import { LIBRARY, type Surface } from "../errors.ts";

export const WIRE: Surface = {
  ...LIBRARY,
  names: {
    negativePrompt: "negative_prompt",
    trueCfgScale: "true_cfg_scale",
    numSteps: "num_inference_steps",
    format: "output_format",
    isSafetyChecked: "enable_safety_checker",
    isUnchangedKept: "keep_unchanged",
    "size.width": "width",
    "size.height": "height",
  },
  // The image is always one of the request's fields.
  image: (source) => (source === undefined ? "image" : `image: ${source}`),
};

const CANONICAL: ReadonlyMap<string, string> = new Map(
  Object.entries(WIRE.names).map(([field, name]) => [name, field]),
);

/** The library's name of a field of the wire; aliases and fields of the wire alone keep theirs. */
export const canonicalField = (name: string): string => CANONICAL.get(name) ?? name;
