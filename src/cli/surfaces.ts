/** How the command line and the tool of `retouch mcp` call the library's parameters when they word a failure. */
import { LIBRARY, RetouchError, type Surface } from "../errors.ts";
import { FLAG_NAMES, TOOL_NAMES } from "../index.ts";

export const COMMAND: Surface = {
  ...LIBRARY,
  names: {
    ...FLAG_NAMES,
    prompt: "the prompt",
    "size.width": "the width in --size",
    "size.height": "the height in --size",
    output: "-o",
    threads: "--threads",
    memoryLimit: "--memory-limit",
    "loras[].scale": "the scale in --lora",
    device: "--device",
    computeType: "--compute-type",
    weights: "--weights",
  },
  sentences: {
    flagged:
      "The safety checker refused the result: it looks pornographic (score {score}, refused from {threshold}); --no-safety-checker leaves the check out.",
  },
};

export const TOOL: Surface = {
  ...LIBRARY,
  names: {
    ...TOOL_NAMES,
    "size.width": "the width in size",
    "size.height": "the height in size",
  },
};

/** Runs `work`; failures of it are worded by `surface`. */
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
