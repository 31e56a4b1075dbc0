/** Measures a device's speed in a process of its own: drivers print, may crash, and hold memory that nobody needs. */
import { fork } from "node:child_process";
import { childEnvironment } from "../process-environment.ts";
import type { DeviceSpeed, SpeedOptions, SpeedWorkload } from "./device-speed.ts";
import { reasonIn } from "./failure-reason.ts";
import type { RuntimeOptions } from "./session.ts";

/** What the process is told, once. */
export interface SpeedOrder extends Omit<SpeedOptions, "onFigure"> {
  runtime: RuntimeOptions;
  workload: SpeedWorkload;
}

export type SpeedAnswer =
  | { kind: "figure"; speed: DeviceSpeed }
  | { kind: "done"; speed: DeviceSpeed }
  | { kind: "failed"; reason: string };

/** What was measured before anything went wrong, if anything was, and what went wrong. */
export interface MeasuredSpeed {
  speed?: DeviceSpeed | undefined;
  reason?: string | undefined;
}

export interface ApartOptions {
  /** The process's compiled file. */
  entry?: URL | undefined;
  /** A figure that takes longer is left out, and so are those after it. @default 60,000 */
  timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 60_000;

/** Never rejects. */
export function measureApart(order: SpeedOrder, options: ApartOptions = {}): Promise<MeasuredSpeed> {
  const { entry = new URL("./speed-process.js", import.meta.url), timeoutMs = TIMEOUT_MS } = options;
  const child = fork(entry, {
    // Limits may be infinite, which JSON has no word for.
    serialization: "advanced",
    env: childEnvironment(),
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaints = "";
  let speed: DeviceSpeed | undefined;
  child.stderr?.on("data", (chunk: Buffer) => (complaints += String(chunk)));
  return new Promise((resolve) => {
    const end = (reason?: string): void => {
      clearTimeout(timer);
      // An orderly exit would wait for the driver.
      child.kill("SIGKILL");
      resolve({ speed, reason });
    };
    const timer = setTimeout(() => end(`it does not answer within ${timeoutMs / 1000} s`), timeoutMs);
    child.on("message", (answer: SpeedAnswer) => {
      if (answer.kind === "failed") return end(answer.reason);
      ({ speed } = answer);
      timer.refresh();
      if (answer.kind === "done") end();
    });
    child.on("error", (error) => end(error.message));
    child.once("exit", (_, signal) =>
      end(signal ? `measuring it ends with ${signal}` : reasonIn(complaints)),
    );
    child.send(order, (error) => error && end(error.message));
  });
}
