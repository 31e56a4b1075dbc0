/** Two sides that do the same edit alternately, so that whatever else the machine does affects both. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { peakTreeBytes } from "./memory.ts";
import { psnrOfFiles } from "./pictures.ts";
import { type EditOrder, type EditTimes, Side, type SideCommand } from "./sides/side.ts";
import { medianOf, rounded, type Summary, summarize } from "../tools/statistics.ts";

/** The edit, except for where each side writes its result. */
export type SharedOrder = Omit<EditOrder, "output">;

export interface SideReport {
  /** One warm edit: from the image to the written file. */
  seconds: Summary;
  secondsPerStep: Summary;
  /** From the start of the process until it can take an edit, and the part of that spent on the checkpoint. */
  startSeconds: number;
  loadSeconds: number;
  /** High-water mark of the process tree, text encoders included; null where the system does not report it. */
  peakBytes: number | null;
}

export interface Comparison {
  retouch: SideReport;
  diffusers: SideReport;
  /** Above 1 Retouch is faster: medians of diffusers' time over Retouch's time in the same round. */
  speedup: { edit: number; denoise: number };
  /** Below 1 Retouch takes less: Retouch's peak over diffusers' peak. */
  memoryRatio: number | null;
  /** Between the two results, in decibels; null where they are equal. */
  psnr: number | null;
}

/** Runs before the timed ones: caches fill, and torch.compile compiles. */
const WARM_UPS = 2;
/** Threads of a runtime spin for a while after their work is done, and would slow the other side. */
const PAUSE_MS = 300;

export async function compare(
  commands: { retouch: SideCommand; diffusers: SideCommand },
  order: SharedOrder,
  { runs, folder }: { runs: number; folder: string },
): Promise<Comparison> {
  const sides: Side[] = [];
  try {
    const retouch = await Side.start(commands.retouch);
    sides.push(retouch);
    const diffusers = await Side.start(commands.diffusers);
    sides.push(diffusers);
    const outputs = sides.map((_, index) => path.join(folder, `side-${index}.png`));
    const times: EditTimes[][] = [[], []];
    for (let round = -WARM_UPS; round < runs; round += 1) {
      // The sides take turns to go first.
      for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
        await pause(PAUSE_MS);
        const edited = await sides[index]!.edit({ ...order, output: outputs[index]! });
        if (round >= 0) times[index]!.push(edited);
      }
    }
    return report(
      retouch,
      diffusers,
      times[0]!,
      times[1]!,
      order.steps,
      await psnrOfFiles(outputs[0]!, outputs[1]!),
    );
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
}

function report(
  retouch: Side,
  diffusers: Side,
  ours: readonly EditTimes[],
  theirs: readonly EditTimes[],
  numSteps: number,
  psnr: number,
): Comparison {
  const speedup = (part: "seconds" | "denoiseSeconds"): number =>
    rounded(medianOf(ours.map((times, round) => theirs[round]![part] / times[part])));
  const reports = {
    retouch: reportSide(retouch, ours, numSteps),
    diffusers: reportSide(diffusers, theirs, numSteps),
  };
  const [ourPeak, theirPeak] = [reports.retouch.peakBytes, reports.diffusers.peakBytes];
  return {
    ...reports,
    speedup: { edit: speedup("seconds"), denoise: speedup("denoiseSeconds") },
    memoryRatio: ourPeak !== null && theirPeak !== null ? rounded(ourPeak / theirPeak) : null,
    psnr: Number.isFinite(psnr) ? rounded(psnr) : null,
  };
}

function reportSide(side: Side, times: readonly EditTimes[], numSteps: number): SideReport {
  return {
    seconds: summarize(times.map(({ seconds }) => seconds)),
    secondsPerStep: summarize(times.map(({ denoiseSeconds }) => denoiseSeconds / numSteps)),
    startSeconds: rounded(side.startSeconds),
    loadSeconds: rounded(side.loadSeconds),
    peakBytes: peakTreeBytes(side.pid),
  };
}
