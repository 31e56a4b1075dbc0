/** The modulation of a transformer's blocks, which depends on the noise level and not on the tokens. */
import { type NoiseLevels, timestepOf } from "../../sampling/flow-match.ts";
import type { Tensor } from "../../runtime/session.ts";
import type { ScheduleConfig } from "./noise-schedule.ts";

/** Computes the rows of noise levels, as the scheduler tells them. */
type Compute = (timesteps: Float32Array) => Promise<Tensor[]>;

/** The modulation at a noise level: those of the schedule are computed at once, any other when it is asked for. */
export async function createModulation(
  { sigmas, timesteps }: NoiseLevels,
  schedule: Pick<ScheduleConfig, "numTrainTimesteps">,
  compute: Compute,
): Promise<(sigma: number) => Promise<Tensor>> {
  const rows = await compute(timesteps);
  const known = new Map(rows.map((row, step) => [sigmas[step]!, row]));
  return async (sigma) =>
    known.get(sigma) ?? (await compute(Float32Array.of(timestepOf(sigma, schedule))))[0]!;
}
