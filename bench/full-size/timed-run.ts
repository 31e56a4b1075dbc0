/** How long loading and running a network takes. */
import type { Session, Tensor } from "../../src/runtime/session.ts";
import { readConverted } from "../../src/weights/converted.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";

export const secondsSince = (start: number): number => (performance.now() - start) / 1000;

export const cpuSecondsSince = (start: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};

/** Runs a network once. @returns its output of this name, seconds, and those of the processor */
export async function timedRun(
  session: Session,
  given: Record<string, Tensor>,
  name: string,
): Promise<[result: Float32Array, seconds: number, cpuSeconds: number]> {
  const [started, cpuStarted] = [performance.now(), process.cpuUsage()];
  const { [name]: result } = await session.run(given);
  return [result!.data as Float32Array, secondsSince(started), cpuSecondsSince(cpuStarted)];
}

/** The weights of an order: a file that was converted, or one of floats. */
export const weightsOf = async (name: string, file: string, isConverted: boolean): Promise<WeightSet> =>
  isConverted
    ? (await readConverted(name, file)).weights
    : new WeightSet(name, await readSafetensorsHeader(file));
