/** Programs that print one JSON line and end. */
import { spawn } from "node:child_process";
import { childEnvironment } from "../../src/process-environment.ts";
import { LARGE_PAGES } from "../../src/worker/engine-environment.ts";

/** The environment in which a service runs its networks. */
export const ENVIRONMENT = childEnvironment(LARGE_PAGES);

/** Characters of standard error that a failure's message repeats. */
const KEPT_ERROR_CHARACTERS = 2000;

export async function runForJson<T>(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<T> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: ENVIRONMENT, signal });
  let [printed, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-KEPT_ERROR_CHARACTERS);
  });
  const [code, endSignal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...ended) => resolve(ended));
  });
  if (code !== 0) throw new Error(`${command} ended with ${code ?? endSignal}:\n${errors}`);
  return JSON.parse(printed.trim().split("\n").at(-1)!) as T;
}
