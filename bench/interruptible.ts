/** Programs that measure for hours, in a folder of gigabytes that must not stay behind. */
import { rmSync } from "node:fs";
import { messageOf } from "../src/index.ts";
import { say } from "./full-size/comparison.ts";

const SIGNALS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const;

/**
 * Measures with a folder that is removed at the end, and when the program is interrupted, unless it is kept.
 * @param measure its signal aborts on an interruption, to end the processes that it has started
 */
export async function withFolder<Report>(
  folder: string,
  { isKept }: { isKept: boolean },
  measure: (signal: AbortSignal) => Promise<Report>,
): Promise<Report> {
  const interruption = new AbortController();
  const cleanUp = (): void => {
    if (isKept) say(`the weights are in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  };
  for (const [name, code] of SIGNALS) {
    process.once(name, () => {
      interruption.abort();
      cleanUp();
      process.exit(code);
    });
  }
  try {
    return await measure(interruption.signal);
  } finally {
    cleanUp();
  }
}

/** Prints what `measure` returns, or the usage; what fails becomes a sentence and the exit code 1. */
export async function runProgram<Options extends object>(
  parse: (args: string[]) => Options | "help",
  usage: string,
  measure: (options: Options) => Promise<string>,
): Promise<void> {
  try {
    const options = parse(process.argv.slice(2));
    process.stdout.write(options === "help" ? usage : await measure(options));
  } catch (error) {
    say(messageOf(error));
    process.exitCode = 1;
  }
}
