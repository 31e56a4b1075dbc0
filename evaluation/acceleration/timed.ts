/** Engines and edits of a comparison by turns: what an edit took, and its picture. */
import { type AccelerationReport, createEngine, type EditRequest, type Engine } from "../../src/index.ts";
import { decodePicture } from "../../src/images/decode.ts";

export interface Timed {
  data: Uint8Array;
  seconds: number;
  /** Of the processor, by all threads. */
  cpuSeconds: number;
  acceleration: AccelerationReport | undefined;
}

/** @param options texts of the command line */
export const openUnchecked = (
  options: { checkpoint: string; threads: string },
  weights: string,
): Promise<Engine> =>
  createEngine({
    checkpoint: options.checkpoint,
    weights: weights as "auto",
    threads: Number(options.threads),
    safety: { isOn: false },
  });

export async function timed(engine: Engine, request: EditRequest): Promise<Timed> {
  const cpu = process.cpuUsage();
  const { image, seconds, acceleration } = await engine.edit(request);
  const { user, system } = process.cpuUsage(cpu);
  const { data } = await decodePicture(image);
  return { data, seconds: seconds.total, cpuSeconds: (user + system) / 1e6, acceleration };
}
