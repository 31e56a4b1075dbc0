/** Measurements of one process: what an edit takes from its decoded source and raw result to its picture, and files. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { plainDeep } from "../../src/images/convert-deep.ts";
import { decodeSource } from "../../src/images/decode-source.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { compose } from "../../src/preserve/compose.ts";
import { rounded, type Summary, summarize } from "../../tools/statistics.ts";
import { statusBytes } from "../memory.ts";
import { type EditName, readInput } from "./inputs.ts";

export const MODES = ["auto", "exact"] as const;

interface Common {
  folder: string;
  runs: number;
  threads: number;
}

/** @returns `seconds` of the clock and `cpuSeconds` of all threads of each edit; the peak is the whole process's. */
export async function measureComposing({
  folder,
  runs,
  threads,
  edit,
  mode,
}: Common & { edit: EditName; mode: (typeof MODES)[number] }): Promise<object> {
  const source = await readInput(folder, "source");
  const raw = await readInput(folder, edit);
  const timed = await times(runs, async () => {
    // As the last steps of an edit do.
    const reduced = await resizePicture(source, raw.width, raw.height);
    const seen = { ...reduced, data: reduced.data.slice() };
    const { kept } = await compose({
      source: { ...plainDeep(source), channels: 3 },
      reduced,
      raw,
      seen,
      mode,
      threads,
    });
    return kept.shares;
  });
  const { kept, carried, drawn } = timed.last;
  const shares = { kept: rounded(kept), carried: rounded(carried), drawn: rounded(drawn) };
  return { ...timed.summaries, peakBytes: statusBytes("self", "VmHWM") ?? null, shares };
}

/** Decoding and encoding of the source's files. */
export async function measureFiles({ folder, runs }: Common): Promise<object> {
  const source = await readInput(folder, "source");
  const report: Record<string, object> = {};
  for (const format of ["jpeg", "png"] as const) {
    const file = new Uint8Array(await readFile(path.join(folder, `source.${format}`)));
    const decode = await times(runs, () => decodeSource(file));
    const encode = await times(runs, () => encodePicture(source, format));
    report[format] = { bytes: file.length, decode: decode.summaries, encode: encode.summaries };
  }
  return report;
}

interface Timed<Value> {
  summaries: { seconds: Summary; cpuSeconds: Summary };
  last: Value;
}

async function times<Value>(runs: number, run: () => Promise<Value>): Promise<Timed<Value>> {
  const [seconds, cpuSeconds]: [number[], number[]] = [[], []];
  let last: Value;
  for (let i = 0; i < runs; i++) {
    const [start, used] = [performance.now(), process.cpuUsage()];
    last = await run();
    const { user, system } = process.cpuUsage(used);
    seconds.push((performance.now() - start) / 1000);
    cpuSeconds.push((user + system) / 1e6);
  }
  return { summaries: { seconds: summarize(seconds), cpuSeconds: summarize(cpuSeconds) }, last: last! };
}
