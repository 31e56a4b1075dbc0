/** What stays in the shipped checkpoint's own results: each edit with `preserve` off, exact and auto, of one seed. */
import { createEngine, encodePicture, type Engine, type Picture } from "../../src/index.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { inRepository } from "../../tools/paths.ts";
import { decibels, isSame } from "./measure.ts";
import { type Edit, editsOf, load } from "./set.ts";

const MODES = ["off", "exact", "auto"] as const;
/** Of each kind. */
const EDITS = 2;

interface Measured {
  /** Decibels from the truth, and from the source in the region that the edit leaves alone; undefined without one. */
  truth: number;
  kept: number | undefined;
  /** Pixels of that region, and how many of them are exact. */
  unedited: number;
  exact: number;
  shares: { kept: number; carried: number; drawn: number } | undefined;
}

/** Prints a line for each edit and mode, and their means. */
export async function measureDemo(filter: RegExp, numSteps: number): Promise<void> {
  const engine = await createEngine({
    checkpoint: inRepository("checkpoints", "tiny"),
    safety: { isOn: false },
  });
  try {
    const all = new Map<string, Measured[]>(MODES.map((mode) => [mode, []]));
    const counts = new Map<string, number>();
    for (const edit of editsOf(filter)) {
      const count = (counts.get(edit.kind) ?? 0) + 1;
      counts.set(edit.kind, count);
      // Photographs are nothing that it has learnt.
      if (count > EDITS || edit.kind === "photograph") continue;
      for (const mode of MODES) {
        const measured = await measureMode(engine, edit, { mode, numSteps });
        all.get(mode)!.push(measured);
        process.stdout.write(`${edit.id.padEnd(20)} ${mode.padEnd(6)} ${lineOf([measured])}\n`);
      }
    }
    for (const [mode, measured] of all) {
      process.stdout.write(`all ${measured.length}`.padEnd(21) + `${mode.padEnd(6)} ${lineOf(measured)}\n`);
    }
  } finally {
    await engine.close();
  }
}

async function measureMode(
  engine: Engine,
  { id, instruction }: Edit,
  { mode, numSteps }: { mode: (typeof MODES)[number]; numSteps: number },
): Promise<Measured> {
  const [source, truth] = await Promise.all([load(`${id}.source.png`), load(`${id}.truth.png`)]);
  const image = await encodePicture(source, "png");
  const { width, height } = source;
  const result = await engine.edit({
    image,
    prompt: instruction,
    seed: 1,
    numSteps,
    preserve: mode,
    size: { width, height },
  });
  return measuredOf(await decodePicture(result.image), source, truth, result.kept?.shares);
}

function measuredOf(
  { data }: Picture,
  source: Picture,
  truth: Picture,
  shares: Measured["shares"],
): Measured {
  let [unedited, exact, squares] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 3) {
    if (!isSame(truth.data, source.data, i)) continue;
    unedited += 1;
    if (isSame(data, source.data, i)) exact += 1;
    for (let c = i; c < i + 3; c++) squares += (data[c]! - source.data[c]!) ** 2;
  }
  const kept =
    unedited === 0 ? undefined : 10 * Math.log10(255 ** 2 / Math.max(squares / (3 * unedited), 1e-3));
  return { truth: decibels(data, truth.data), kept, unedited, exact, shares };
}

function lineOf(measured: readonly Measured[]): string {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const sum = (value: (one: Measured) => number): number =>
    measured.reduce((total, one) => total + value(one), 0);
  const kept = measured.flatMap((one) => one.kept ?? []);
  const shares = measured.flatMap((one) => one.shares ?? []);
  const share = (part: "kept" | "carried" | "drawn"): string =>
    `${part} ${mean(shares.map((one) => one[part])).toFixed(3)}`;
  return [
    `truth ${mean(measured.map((one) => one.truth)).toFixed(2)} dB`,
    `kept region ${kept.length === 0 ? "-" : `${mean(kept).toFixed(2)} dB`}`,
    `exact ${sum((one) => one.unedited) === 0 ? "-" : `${((100 * sum((one) => one.exact)) / sum((one) => one.unedited)).toFixed(2)} %`}`,
    shares.length === 0 ? "" : `${share("kept")} ${share("carried")} ${share("drawn")}`,
  ].join(", ");
}
