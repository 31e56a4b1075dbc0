/** Runs one parser's inputs in child processes: one that dies or hangs is replaced, and goes on after the input it was at. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ChildMessage, type ChildTask, IDLE } from "./protocol.ts";

export interface Found {
  /** Of the first input that did this. */
  index: number;
  what: string;
  input: string;
  /** How many inputs did. */
  count: number;
}

export interface Outcome {
  name: string;
  inputs: number;
  /** Inputs that were not refused. */
  values: number;
  seconds: number;
  /** Of the processor, of all its threads; of the last process, if one died. */
  cpuSeconds: number;
  /** The most that was held after a collection. */
  rssMiB: number;
  /** The most that was held at any time. */
  peakMiB: number;
  violations: Found[];
  /** Whether it was given up after too many dead processes, or at the first violation where that was asked. */
  isCut: boolean;
}

export interface Work {
  target: string;
  /** URL of the compiled module of its group. */
  module: string;
  seed: number;
  from: number;
  to: number;
  isReplay: boolean;
  /** A fault that is put back. */
  fault: string | undefined;
  stopsAtFirst: boolean;
  /** The compiled child, and its loader of faults. */
  program: string;
  loader: string;
  signal: AbortSignal;
  onInput?: ((input: string) => void) | undefined;
}

/** Most of what is fed is written first; a file system in memory is faster and spares the disk. */
const FILES = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const LOOK_MS = 100;
/** Of processor time on one input. */
const MAX_CPU_MS = 1000;
/** Without an end: nothing that is fed here waits for anything, but on a loaded machine for its turn. */
const MAX_WAIT_MS = 60_000;
/** For a child to be ready, with its corpus made and its server started. */
const MAX_START_MS = 600_000;
const MAX_DEATHS = 20;
/** Linux counts processor time in hundredths of a second here (`sysconf(_SC_CLK_TCK)`). */
const TICK_MS = 10;

export async function supervise(work: Work): Promise<Outcome> {
  const startedAt = performance.now();
  const outcome: Outcome = {
    name: work.target,
    inputs: 0,
    values: 0,
    seconds: 0,
    cpuSeconds: 0,
    rssMiB: 0,
    peakMiB: 0,
    violations: [],
    isCut: false,
  };
  let from = work.from;
  for (let deaths = 0; from < work.to; deaths += 1) {
    if (deaths > MAX_DEATHS || (work.stopsAtFirst && outcome.violations.length > 0)) {
      outcome.isCut = true;
      break;
    }
    from = await runChild(work, from, outcome);
    work.signal.throwIfAborted();
  }
  outcome.seconds = (performance.now() - startedAt) / 1000;
  return outcome;
}

/** @returns the index to go on from */
async function runChild(work: Work, from: number, outcome: Outcome): Promise<number> {
  const folder = mkdtempSync(path.join(FILES, "retouch-fuzz-"));
  const progressFile = path.join(folder, "index");
  const progress = openSync(progressFile, "w+");
  writeSync(progress, Uint8Array.from(new Uint8Array(Uint32Array.of(IDLE).buffer)));
  const files = path.join(folder, "files");
  mkdirSync(files);
  const { target, module, seed, to, isReplay, fault } = work;
  const task: ChildTask = { target, module, seed, from, to, progressFile, folder: files, isReplay };
  const child = fork(work.program, [JSON.stringify(task)], {
    execArgv: [
      "--expose-gc",
      "--enable-source-maps",
      ...(fault === undefined ? [] : ["--import", work.loader]),
    ],
    env: { ...process.env, ...(fault === undefined ? {} : { RETOUCH_FUZZ_FAULT: fault }) },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const onAbort = (): void => void child.kill("SIGKILL");
  work.signal.addEventListener("abort", onAbort, { once: true });
  let errors = "";
  child.stderr!.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
  let isDone = false;
  child.on("message", (message: ChildMessage) => {
    if (message.kind === "done") isDone = true;
    else if (message.kind === "input") work.onInput?.(message.input);
    else note(outcome, message);
    if (work.stopsAtFirst && outcome.violations.length > 0) child.kill("SIGKILL");
  });
  const exited = once(child, "close") as Promise<[number | null, string | null]>;
  const hang = await watch(child, progress, exited);
  const [code, signal] = await exited;
  work.signal.removeEventListener("abort", onAbort);
  const at = readIndex(progress);
  closeSync(progress);
  rmSync(folder, { recursive: true, force: true });
  if (isDone || work.signal.aborted) return work.to;
  const isFound = outcome.violations.some(({ index }) => index === at);
  const what = hang ?? `the process ended with ${signal ?? `code ${code}`}: ${errors.trim()}`;
  // A child that reports a defect ends by itself.
  if (!isFound && !(work.stopsAtFirst && outcome.violations.length > 0)) {
    add(outcome, { index: at, what, input: "(see --replay)" });
  }
  if (at === IDLE) {
    // It never began, or could not end: there is no input to leave out.
    outcome.isCut = true;
    return work.to;
  }
  outcome.inputs = Math.max(outcome.inputs, at + 1 - work.from);
  return at + 1;
}

function note(outcome: Outcome, message: Exclude<ChildMessage, { kind: "done" | "input" }>): void {
  if (message.kind === "fed") {
    outcome.inputs += message.count;
    outcome.values += message.values;
  } else if (message.kind === "memory") {
    outcome.rssMiB = Math.max(outcome.rssMiB, message.rssMiB);
    outcome.peakMiB = Math.max(outcome.peakMiB, message.peakMiB);
    outcome.cpuSeconds = message.cpuSeconds;
  } else add(outcome, message);
}

/** The same fault is listed once, whatever numbers and names its sentence holds. */
function add(outcome: Outcome, { index, what, input }: Omit<Found, "count">): void {
  const kindOf = (text: string): string => text.replaceAll(/\d+|"[^"]*"|\/tmp\/\S+/g, "#").slice(0, 200);
  const known = outcome.violations.find((one) => kindOf(one.what) === kindOf(what));
  if (known) known.count += 1;
  else outcome.violations.push({ index, what, input, count: 1 });
}

/** @returns what is wrong, once the child has been killed for it; undefined if it ends by itself */
async function watch(
  child: ChildProcess,
  progress: number,
  exited: Promise<unknown>,
): Promise<string | undefined> {
  const ended = exited.then(() => true);
  const bornAt = performance.now();
  let known = { index: IDLE, at: bornAt, cpuMs: 0 };
  while (!(await Promise.race([ended, pause(LOOK_MS, false)]))) {
    const index = readIndex(progress);
    const now = performance.now();
    if (index !== known.index) known = { index, at: now, cpuMs: cpuMsOf(child.pid!) };
    const usedMs = cpuMsOf(child.pid!) - known.cpuMs;
    const waitedMs = now - known.at;
    const isHanging = index !== IDLE && (usedMs > MAX_CPU_MS || waitedMs > MAX_WAIT_MS);
    if (isHanging || (index === IDLE && waitedMs > MAX_START_MS)) {
      child.kill("SIGKILL");
      return `did not end: ${(usedMs / 1000).toFixed(1)} seconds of the processor, ${(waitedMs / 1000).toFixed(1)} seconds in all`;
    }
  }
  return undefined;
}

function readIndex(progress: number): number {
  const index = new Uint32Array(1);
  readSync(progress, index, 0, 4, 0);
  return index[0]!;
}

/** Processor time of all threads of a process, 0 where the system does not say (proc(5)). */
function cpuMsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}
