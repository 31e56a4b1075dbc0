/** How the command line and the tool of `retouch mcp` name the library's parameters in a failure. */
import { LIBRARY, RetouchError, type Surface } from "../errors.ts";
import { EDIT_PARAMETERS, type EditParameter, MODEL_DEFAULTS } from "../index.ts";

/** The flag alone, such as `--steps`, in its long form. */
export const flagOf = ({ flag }: Pick<EditParameter, "flag">): string | undefined =>
  /--\S+/.exec(flag ?? "")?.[0];

/** A number's range as help shows it: `1 to 50`. */
export const rangeText = ({ min, max }: { min: number; max: number }): string => `${min} to ${max}`;

/**
 * What every model does of a parameter where an edit does not choose, such as
 * `28 of FLUX.1 Kontext, 4 of a distilled FLUX.2 [klein], 50 of another`.
 */
export const modelDefaultsText = (field: "numSteps" | "guidance"): string =>
  MODEL_DEFAULTS.map(({ name, defaults }) =>
    field === "guidance" && defaults.isGuided === false
      ? `without effect on ${name}`
      : `${defaults[field]} of ${name}`,
  ).join(", ");

/** What a surface calls the parameters, by the library's names. */
function namesBy(nameOf: (parameter: EditParameter) => string | undefined): Record<string, string> {
  const names = Object.entries<EditParameter>(EDIT_PARAMETERS).map(
    ([field, parameter]) => [field, nameOf(parameter)] as const,
  );
  return Object.fromEntries(names.filter((named): named is [string, string] => named[1] !== undefined));
}

export const COMMAND: Surface = {
  ...LIBRARY,
  names: {
    ...namesBy(flagOf),
    prompt: "the prompt",
    fromOriginal: "--from-original",
    "size.width": "the width in --size",
    "size.height": "the height in --size",
    output: "-o",
    receipt: "--receipt",
    threads: "--threads",
    memoryLimit: "--memory-limit",
    "loras[].scale": "the scale in --lora",
    device: "--device",
    computeType: "--compute-type",
    weights: "--weights",
    referenceCache: "--reference-cache",
  },
  sentences: {
    flagged:
      "The safety checker refused the result: it looks pornographic (score {score}, refused from {threshold}); --no-safety-checker leaves the check out.",
  },
};

export const TOOL: Surface = {
  ...LIBRARY,
  names: {
    ...namesBy(({ tool }) => tool),
    fromOriginal: "from_original",
    "size.width": "the width in size",
    "size.height": "the height in size",
  },
};

/** A line of `retouch batch`, which has the names of the wire. */
export const JOB_LINE: Surface = {
  ...LIBRARY,
  names: {
    ...namesBy(({ wire }) => wire),
    fromOriginal: "from_original",
    parentImage: "parent_image",
    "size.width": "width",
    "size.height": "height",
  },
  image: (source) => source ?? "image",
};

/** Runs `work`; `surface` words its failures. */
export async function wordedBy<Result>(
  surface: Surface,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RetouchError)) throw error;
    const worded = new RetouchError(error.code, error.failures, { cause: error, surface });
    throw worded.message === error.message ? error : worded;
  }
}
