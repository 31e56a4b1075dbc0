/** The shipped checkpoint's edits: the documented request, the same at the native size beside diffusers, and a cold start. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import sharp from "sharp";
import type { Size } from "../../src/index.ts";
import { inRepository } from "../../tools/paths.ts";
import { type Summary, summarize } from "../../tools/statistics.ts";
import type { SharedOrder } from "../compare.ts";
import { diffusersSide, type Variant, VARIANTS } from "../sides/diffusers.ts";
import type { SideCommand } from "../sides/side.ts";
import {
  BASELINE,
  baselineSide,
  EVERY_STEP,
  MODES,
  type Mode,
  ownSide,
  type OwnSettings,
} from "./own-sides.ts";
import { type Bench, GUIDANCE, PROMPT, SEED } from "./part.ts";
import { type EditSides, editByTurns, rotated } from "./turns.ts";

const DOCUMENTED: Size = { width: 1024, height: 1024 };
/** What the checkpoint was trained at. */
const NATIVE: Size = { width: 128, height: 128 };
const EXAMPLE = inRepository("examples", "bluebird.png");

export interface EditsReport {
  sides: EditSides;
}

/** The request as a user sends it: the example as it is, checked, and enlarged to the size that is asked for. */
export async function measureDocumented(bench: Bench): Promise<EditsReport> {
  const settings = settingsOf(bench, true);
  const sides = await Promise.all((Object.keys(MODES) as Mode[]).map((mode) => ownSide(mode, settings)));
  sides.push(await baselineSide(bench.baseline(), settings));
  return { sides: await edits(bench, sides, DOCUMENTED) };
}

/** The native size, which no side resizes, and without the check, which diffusers lacks. */
export async function measureNative(bench: Bench): Promise<EditsReport> {
  const settings = settingsOf(bench, false);
  const own = await Promise.all(EVERY_STEP.map((mode) => ownSide(mode, settings)));
  const python = bench.python();
  const others = (Object.keys(VARIANTS) as Variant[]).map((name) => diffusersSide(python, name, settings));
  return { sides: await edits(bench, [...own, ...others], NATIVE) };
}

const settingsOf = ({ checkpoint, threads, scratch }: Bench, isChecked: boolean): OwnSettings => ({
  checkpoint,
  threads,
  isChecked,
  cacheFolder: path.join(scratch, "weights"),
});

function edits(bench: Bench, sides: readonly SideCommand[], size: Size): Promise<EditSides> {
  const { runs, scratch, numSteps, clock, threads, say } = bench;
  const orderOf = async (round: number): Promise<SharedOrder> => {
    const image = path.join(scratch, `source-${size.width}-${round}.png`);
    await writeVariant(image, size === NATIVE ? size : undefined, round);
    // A text of its own in each round, too.
    const prompt = `${PROMPT}, ${round + 1}`;
    return { image, prompt, ...size, steps: numSteps, guidance: GUIDANCE, seed: SEED };
  };
  return editByTurns(sides, { runs, folder: scratch, clock, threads, orderOf, say });
}

/** The example with one pixel of its own, so that no side finds what it has encoded before. */
async function writeVariant(file: string, size: Size | undefined, round: number): Promise<void> {
  const source = sharp(EXAMPLE);
  const resized = size ? source.resize(size.width, size.height, { fit: "fill" }) : source;
  const { data, info } = await resized.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  data[0] = (data[0]! + round) % 256;
  const { width, height, channels } = info;
  await sharp(data, { raw: { width, height, channels } }).png().toFile(file);
}

export interface ColdReport {
  /** From the start of the command's process to the end of its first step, on a terminal. */
  seconds: Record<string, Summary>;
}

export const COLD = "Retouch";

/** What the command shows when its first step is done. */
const FIRST_STEP = "step 1/";

export function measureCold(bench: Bench): ColdReport {
  const { python, baseline, scratch, runs, threads, numSteps, clock } = bench;
  const interpreter = python();
  const flags = { output: path.join(scratch, "cold.png"), threads, steps: numSteps, seed: SEED };
  const folders = { [COLD]: inRepository("."), [BASELINE]: baseline() };
  const seconds: Record<string, number[]> = { [COLD]: [], [BASELINE]: [] };
  // The first round does not count: files come from the disk.
  for (let round = 0; round <= runs; round += 1) {
    for (const [name, folder] of rotated(Object.entries(folders), round)) {
      const taken = firstStep(interpreter, [
        process.execPath,
        path.join(folder, "bin", "retouch.js"),
        "edit",
        EXAMPLE,
        PROMPT,
        ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ]);
      if (round > 0) seconds[name]!.push(clock === "cpu" ? taken.cpuSeconds / threads : taken.seconds);
    }
  }
  return {
    seconds: Object.fromEntries(Object.entries(seconds).map(([name, taken]) => [name, summarize(taken)])),
  };
}

function firstStep(python: string, command: readonly string[]): { seconds: number; cpuSeconds: number } {
  const args = [inRepository("bench", "peers", "first_step.py"), FIRST_STEP, ...command];
  const answer = JSON.parse(execFileSync(python, args, { encoding: "utf8" })) as
    { seconds: number; cpuSeconds: number } | { error: string };
  if ("error" in answer) throw new Error(`The command ended before its first step: ${answer.error}`);
  return answer;
}
