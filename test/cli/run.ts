/** Runs the command line as a user does, as a process of its own. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../bin/retouch.js", import.meta.url));
/** Random weights: what it draws is noise, but every part of an edit runs. */
export const CHECKPOINT = fileURLToPath(new URL("../fixtures/checkpoints/plain", import.meta.url));

/** Threads that wait for each other cost such small networks more than they save. Without it, one a core. */
export const ONE_THREAD = ["--threads", "1"] as const;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

export interface RunOptions {
  /** Standard input; without it the input is empty. */
  input?: Uint8Array | undefined;
  cwd?: string | undefined;
  /** Variables beside those of this process. */
  env?: Record<string, string> | undefined;
  stdio?: StdioOptions | undefined;
  /** Sees the process as soon as it has started. */
  onStart?: ((child: ChildProcess) => void) | undefined;
}

/** Starts `retouch` with these arguments and waits for its end. */
export async function retouch(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { cwd, stdio = "pipe", input, onStart } = options;
  const env = { ...process.env, ...options.env };
  const child = spawn(process.execPath, [program, ...args], { cwd, stdio, env });
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin?.on("error", () => {});
  if (onStart) onStart(child);
  else child.stdin?.end(input);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on("close", (...end) => resolve(end));
  });
  return { code, signal, stdout: Buffer.concat(stdout), stderr };
}

/** An edit of one step with random weights; flags may override its own. */
export const quickEdit = (
  image: string,
  { prompt = "Make it night", flags = [] }: { prompt?: string; flags?: readonly string[] } = {},
  options: RunOptions = {},
): Promise<Ended> =>
  retouch(
    [
      "edit",
      image,
      prompt,
      "--checkpoint",
      CHECKPOINT,
      "--steps",
      "1",
      "--seed",
      "7",
      ...ONE_THREAD,
      ...flags,
    ],
    options,
  );

/** Waits for words on the standard error of a process, then does something. */
export function whenItSays(child: ChildProcess, words: RegExp, action: () => void): void {
  let text = "";
  const onData = (chunk: Buffer): void => {
    text += chunk.toString();
    if (!words.test(text)) return;
    child.stderr?.off("data", onData);
    action();
  };
  child.stderr?.on("data", onData);
}
