/** Sides that do the same edits by turns, so that whatever else the machine does affects all of them. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { messageOf } from "../../src/index.ts";
import { medianOf, rounded, type Summary, summarize } from "../../tools/statistics.ts";
import type { SharedOrder } from "../compare.ts";
import { peakTreeBytes } from "../memory.ts";
import { psnrOfFiles } from "../pictures.ts";
import type { Clock } from "./options.ts";
import { type EditTimes, Side, type SideCommand } from "../sides/side.ts";

export interface EditSideReport {
  /** One warm edit: from the image to the written file. */
  seconds: Summary;
  /** Null where the processor's time is counted, which steps do not report. */
  secondsPerStep: Summary | null;
  /** From the start of the process until it could take an edit. */
  startSeconds: number;
  /** High-water mark of the process tree; null where the system does not report it. */
  peakBytes: number | null;
  /** Of its last picture beside the first side's, in decibels; null where they are equal, or for the first side. */
  psnr: number | null;
}

export type EditSides = Record<string, EditSideReport | { error: string }>;

export interface TurnOptions {
  clock: Clock;
  threads: number;
  runs: number;
  folder: string;
  /** The edit of a round, from 0 on: each is another one, because a side may remember what it has read. */
  orderOf: (round: number) => Promise<SharedOrder> | SharedOrder;
  say: (sentence: string) => void;
}

/** Rounds before the timed ones: caches fill, and torch.compile compiles. */
const WARM_UPS = 2;
/** Threads of a runtime spin for a while after their work is done, and would slow the next side. */
const PAUSE_MS = 300;

interface Runner {
  name: string;
  side: Side;
  output: string;
  times: EditTimes[];
}

/** A side that cannot run has an error in place of figures, and the others go on. */
export async function editByTurns(
  commands: readonly SideCommand[],
  { runs, folder, orderOf, say, ...counted }: TurnOptions,
): Promise<EditSides> {
  const errors: EditSides = {};
  const runners: Runner[] = [];
  const fail = (name: string, error: unknown): void => {
    say(`  ${name} failed: ${messageOf(error)}`);
    errors[name] = { error: messageOf(error) };
  };
  try {
    for (const [index, command] of commands.entries()) {
      try {
        const output = path.join(folder, `side-${index}.png`);
        runners.push({ name: command.name, side: await Side.start(command), output, times: [] });
      } catch (error) {
        fail(command.name, error);
      }
    }
    let numSteps = 1;
    for (let round = 0; round < WARM_UPS + runs; round += 1) {
      const order = await orderOf(round);
      numSteps = order.steps;
      for (const runner of rotated(runners, round)) {
        if (errors[runner.name]) continue;
        await pause(PAUSE_MS);
        try {
          const times = await runner.side.edit({ ...order, output: runner.output });
          if (round >= WARM_UPS) runner.times.push(times);
        } catch (error) {
          fail(runner.name, error);
        }
      }
    }
    return await reportOf(commands, runners, errors, { numSteps, ...counted });
  } finally {
    await Promise.all(runners.map(({ side }) => side.close()));
  }
}

/** The sides take turns to go first. */
export const rotated = <T>(items: readonly T[], round: number): T[] =>
  items.map((_, index) => items[(index + round) % items.length]!);

async function reportOf(
  commands: readonly SideCommand[],
  runners: readonly Runner[],
  errors: EditSides,
  { numSteps, clock, threads }: { numSteps: number } & Pick<TurnOptions, "clock" | "threads">,
): Promise<EditSides> {
  const reports: EditSides = {};
  const first = runners.find(({ name }) => !errors[name]);
  for (const { name } of commands) {
    const runner = runners.find((found) => found.name === name);
    if (errors[name] || !runner) {
      reports[name] = errors[name]!;
      continue;
    }
    const { side, times, output } = runner;
    const decibels = runner === first ? Infinity : await psnrOfFiles(output, first!.output);
    reports[name] = {
      seconds: summarize(
        times.map(({ seconds, cpuSeconds }) => (clock === "cpu" ? cpuSeconds! / threads : seconds)),
      ),
      secondsPerStep:
        clock === "cpu" ? null : summarize(times.map(({ denoiseSeconds }) => denoiseSeconds / numSteps)),
      startSeconds: rounded(side.startSeconds),
      peakBytes: peakTreeBytes(side.pid),
      psnr: Number.isFinite(decibels) ? rounded(decibels) : null,
    };
  }
  return reports;
}

/** Above 1 the first is faster: the median of the second's value over the first's in the same round. */
export const ratioOf = (ours: Summary, theirs: Summary): number =>
  rounded(medianOf(ours.values.map((value, round) => theirs.values[round]! / value)));
