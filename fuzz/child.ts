/**
 * Feeds one parser, in a process of its own: it may crash or hang without harm to the run. Before each input it writes
 * the input's index into a file, so that its parent knows what it was working on.
 */
import { openSync, writeSync } from "node:fs";
import { inspect } from "node:util";
import { RetouchError } from "../src/errors.ts";
import type { ChildMessage, ChildTask } from "./protocol.ts";
import { IDLE } from "./protocol.ts";
import { Random } from "./random.ts";
import { expectCleanPrototype, type Prepared, type Target } from "./target.ts";

const SHOWN_CHARACTERS = 4000;
/** Inputs between two looks at the memory. */
const MEMORY_INTERVAL = 1000;
const MIB = 2 ** 20;
/** Of processor time: under load, an input may well wait longer. */
const MAX_CPU_SECONDS = 1;

const task = JSON.parse(process.argv[2]!) as ChildTask;
const { TARGETS } = (await import(task.module)) as { TARGETS: readonly Target[] };
const found = TARGETS.find(({ name }) => name === task.target)!;
const progress = openSync(task.progressFile, "r+");
const index32 = new Uint32Array(1);
let current = IDLE;

/** Ends the process once its last message is on its way. */
const end = (message: ChildMessage, code: number): Promise<never> =>
  new Promise(() => void process.send?.(message, () => process.exit(code)));

const send = (message: ChildMessage): void => void process.send?.(message);

function mark(index: number): void {
  current = index;
  index32[0] = index;
  writeSync(progress, index32, 0, 4, 0);
}

function shown(prepared: Prepared, input: unknown): string {
  const text =
    prepared.show?.(input) ??
    (typeof input === "string"
      ? JSON.stringify(input)
      : Buffer.isBuffer(input)
        ? `${JSON.stringify(input.toString("latin1"))} (latin1)`
        : inspect(input, { depth: 10, maxStringLength: 2000, maxArrayLength: 200 }));
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}... (${text.length})` : text;
}

/** @returns undefined where an error is a refusal that the parser may give */
function wrongOf({ codes }: Target, error: unknown): string | undefined {
  if (error instanceof RetouchError && codes.includes(error.code)) return undefined;
  if (error instanceof RetouchError) return `a refusal with ${error.code}: ${error.message}`;
  if (!(error instanceof Error)) return `something thrown that is no error: ${inspect(error)}`;
  // The parser's module has a class of its own of this name.
  if (error.name === "Violation") return error.message;
  const at = /^ +at .*$/m.exec(error.stack?.slice(error.stack.indexOf("\n")) ?? "")?.[0].trim() ?? "";
  return `${error.name}: ${error.message} ${at}`;
}

async function feed(
  prepared: Prepared,
  index: number,
): Promise<{ isValue: boolean; wrong?: string | undefined }> {
  const input = prepared.generate(new Random(task.seed, found.name, index));
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let outcome: { isValue: boolean; wrong?: string | undefined };
  try {
    await prepared.feed(input);
    outcome = { isValue: true };
  } catch (error) {
    outcome = { isValue: false, wrong: wrongOf(found, error) };
  }
  try {
    expectCleanPrototype();
  } catch (error) {
    outcome.wrong ??= (error as Error).message;
  }
  if (outcome.wrong === undefined && performance.now() - startedAt > MAX_CPU_SECONDS * 1000) {
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (user + system) / 1e6;
    if (seconds > MAX_CPU_SECONDS) outcome.wrong = `took ${seconds.toFixed(1)} seconds of the processor`;
  }
  if (outcome.wrong !== undefined) {
    send({ kind: "violation", index, what: outcome.wrong, input: shown(prepared, input) });
  }
  return outcome;
}

/** Ends the process, whose peak never falls again, so that another one goes on with the next input. */
async function checkPeak(): Promise<void> {
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  const { maxPeakMiB = 1000 } = found;
  if (peakMiB <= maxPeakMiB) return;
  const what = `took the process to ${Math.round(peakMiB)} MiB; ${maxPeakMiB} are allowed`;
  await end({ kind: "violation", index: current, what, input: "(see --replay)" }, 1);
}

function checkMemory(index: number): void {
  mark(IDLE);
  globalThis.gc!();
  const rssMiB = process.memoryUsage.rss() / MIB;
  const { maxMiB = 400 } = found;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  send({ kind: "memory", rssMiB, peakMiB: maxRSS / 1024, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 });
  if (rssMiB > maxMiB) {
    const what = `after a collection, the process holds ${Math.round(rssMiB)} MiB; ${maxMiB} are allowed`;
    send({ kind: "violation", index, what, input: "(what came before has a part in it)" });
  }
}

async function run(prepared: Prepared): Promise<void> {
  let values = 0;
  let fed = 0;
  const report = (): void => {
    send({ kind: "fed", count: fed, values });
    fed = 0;
    values = 0;
  };
  for (let index = task.from; index < task.to; index += 1) {
    mark(index);
    const { isValue } = await feed(prepared, index);
    fed += 1;
    if (isValue) values += 1;
    await checkPeak();
    if (fed === MEMORY_INTERVAL) {
      report();
      checkMemory(index);
    }
    if (index % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
  }
  report();
  checkMemory(task.to - 1);
}

function onDefect(error: unknown): void {
  const what = `outside of the call: ${wrongOf(found, error) ?? String(error)}`;
  void end({ kind: "violation", index: current, what, input: "(see --replay)" }, 1);
}
process.on("uncaughtException", onDefect);
process.on("unhandledRejection", onDefect);
process.on("disconnect", () => process.exit(1));

const prepared = await found.prepare(task.folder);
if (task.isReplay) {
  const input = prepared.generate(new Random(task.seed, found.name, task.from));
  send({ kind: "input", input: shown(prepared, input) });
}
await run(prepared);
mark(IDLE);
await prepared.close?.();
await end({ kind: "done" }, 0);
