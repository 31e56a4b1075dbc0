/** How long loading and running a network takes. */
import type { Session, Tensor } from "../../src/runtime/session.ts";
import { readConverted } from "../../src/weights/converted.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";

export const secondsSince = (start: number): number => (performance.now() - start) / 1000;

/** Runs a network once. @returns its output of this name, and seconds */
export async function timedRun(
  session: Session,
  given: Record<string, Tensor>,
  name: string,
): Promise<[Float32Array, number]> {
  const started = performance.now();
  const { [name]: result } = await session.run(given);
  return [result!.data as Float32Array, secondsSince(started)];
}

/** The weights of an order: a file that was converted, or one of floats. */
export const weightsOf = async (name: string, file: string, isConverted: boolean): Promise<WeightSet> =>
  isConverted
    ? (await readConverted(name, file)).weights
    : new WeightSet(name, await readSafetensorsHeader(file));
