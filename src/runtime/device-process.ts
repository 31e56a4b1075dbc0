/**
 * Graphs tried on a device in a process of their own: a provider prints, may crash, and loads a driver that may not be
 * needed. The process loads the runtime and nothing else.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { messageOf } from "../errors.ts";
import { childEnvironment } from "../process-environment.ts";
import type { Device } from "./device-names.ts";
import { reasonIn } from "./failure-reason.ts";
import type { Installation } from "./installation.ts";
import type { Tensor } from "./session.ts";
import { sessionSettings } from "./session-settings.ts";
import type { SettingsOptions } from "./settings-options.ts";

/** A graph, and what it is fed. */
export interface Trial {
  /** The bytes of an ONNX model. */
  model: Uint8Array;
  inputs: Readonly<Record<string, Tensor>>;
  /** How it is loaded. @default no data of the model is external */
  options?: Omit<SettingsOptions, "device" | "isWhole"> | undefined;
  /** How often it runs after a first time, in which kernels are compiled. @default 0 */
  timedRuns?: number | undefined;
  /** Whether it is refused if an operator would run on the CPU. @default false */
  isWhole?: boolean | undefined;
}

export interface TrialResult {
  /** By name. */
  outputs: Readonly<Record<string, Float32Array>>;
  /** Seconds of the fastest timed run, or of the only one. */
  seconds: number;
}

/** Why a device gave no result: one line, without a full stop. */
export class TrialError extends Error {
  override readonly name = "TrialError";
}

/** From the parent's message to its answer. Both are structured clones, so numbers travel as they are. */
const PROGRAM = `
const { InferenceSession, Tensor } = require(process.argv[1]);
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("message", (message) => answer(message).then(
  (answered) => process.send(answered),
  (error) => process.send({ error: String(error?.message ?? error) }),
));
let kept;
async function answer({ kind, model, settings, inputs, timedRuns }) {
  if (kind === "libraries") {
    process.report.excludeNetwork = true;
    return { libraries: process.report.getReport().sharedObjects };
  }
  const feeds = {};
  for (const [name, { type, data, shape }] of Object.entries(inputs)) feeds[name] = new Tensor(type, data, shape);
  const session = await InferenceSession.create(model, settings);
  const timed = async () => {
    const started = performance.now();
    const outputs = await session.run(feeds);
    return { outputs, seconds: (performance.now() - started) / 1000 };
  };
  let { outputs, seconds } = await timed();
  for (let run = 0; run < timedRuns; run += 1) {
    const again = await timed();
    seconds = run === 0 ? again.seconds : Math.min(seconds, again.seconds);
    outputs = again.outputs;
  }
  const numbers = Object.entries(outputs).map(([name, { data }]) => [name, Float32Array.from(data)]);
  // With the last session a device would forget the kernels that it has compiled, which later trials need again.
  if (kept === undefined) kept = session;
  else await session.release();
  return { outputs: Object.fromEntries(numbers), seconds };
}`;

const TIMEOUT_MS = 60_000;
/** The part of what a process prints that is searched for a reason. */
const MAX_KEPT_CHARACTERS = 20_000;

const NOTHING_EXTERNAL = { threads: 0, weightsFolder: tmpdir() };

export interface DeviceProcessOptions {
  /** How long one trial may take. @default a minute */
  timeoutMs?: number | undefined;
}

type Answer = { error: string } | ({ libraries: string[] } & { error?: undefined }) | TrialResult;

export class DeviceProcess {
  readonly device: Device;
  readonly #installation: Pick<Installation, "module">;
  readonly #options: DeviceProcessOptions;
  #child: ChildProcess | undefined;
  #printed = "";

  constructor(
    device: Device,
    installation: Pick<Installation, "module">,
    options: DeviceProcessOptions = {},
  ) {
    this.device = device;
    this.#installation = installation;
    this.#options = options;
  }

  /**
   * Runs a trial, in a new process if the last one ended. One at a time.
   * @throws TrialError with the reason
   */
  async run({
    model,
    inputs,
    options = NOTHING_EXTERNAL,
    timedRuns = 0,
    isWhole,
  }: Trial): Promise<TrialResult> {
    const settings = sessionSettings({ ...options, device: this.device, isWhole });
    const typed = Object.entries(inputs).map(([name, { data, shape }]) => {
      const type = data instanceof Float32Array ? "float32" : "int64";
      return [name, { type, data, shape }] as const;
    });
    const order = { kind: "run", model, settings, inputs: Object.fromEntries(typed), timedRuns };
    return (await this.#ask(order)) as TrialResult;
  }

  /** The files of the libraries that the process has loaded, the device's driver among them once a trial has run. */
  async libraries(): Promise<string[]> {
    return ((await this.#ask({ kind: "libraries" })) as { libraries: string[] }).libraries;
  }

  /** Ends the process. */
  close(): void {
    // Not an orderly exit, in which a driver may crash or hang.
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  #ask(order: object): Promise<Answer> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const child = (this.#child ??= this.#start());
    this.#printed = "";
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        child.removeAllListeners("message").removeAllListeners("close").removeAllListeners("error");
        settle();
      };
      const fail = (reason: string, isEnded: boolean): void =>
        finish(() => {
          if (isEnded) this.close();
          reject(new TrialError(reason));
        });
      const timer = setTimeout(
        () => fail(`it does not answer within ${timeoutMs / 1000} s`, true),
        timeoutMs,
      );
      child.once("message", (answer: Answer) => {
        if ("error" in answer && answer.error !== undefined)
          fail(reasonIn(`${this.#printed}\nError: ${answer.error}`), false);
        else finish(() => resolve(answer));
      });
      child.once("error", (error) => fail(messageOf(error), true));
      // After the process has ended and all that it printed has arrived.
      child.once("close", (_, signal) =>
        fail(signal === null ? reasonIn(this.#printed) : `trying it ends with ${signal}`, true),
      );
      child.send(order, (error) => {
        // A process that has ended reports so itself.
        if (error && child.connected) fail(messageOf(error), true);
      });
    });
  }

  #start(): ChildProcess {
    const child = spawn(process.execPath, ["--eval", PROGRAM, this.#installation.module], {
      env: childEnvironment(),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#printed = (this.#printed + String(chunk)).slice(-MAX_KEPT_CHARACTERS);
    });
    return child;
  }
}
