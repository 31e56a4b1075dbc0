/** The samplers that an edit can choose. */
import { dpmSolverSampler } from "./dpm-solver.ts";
import { eulerSampler } from "./euler.ts";
import { heunSampler } from "./heun.ts";
import type { SamplerName } from "./sampler-names.ts";
import type { Sampler } from "./sampler.ts";

export const SAMPLER_OF: Readonly<Record<SamplerName, Sampler>> = {
  euler: eulerSampler,
  heun: heunSampler,
  dpmpp_2m: dpmSolverSampler,
};
