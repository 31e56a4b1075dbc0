/** The samplers that an edit can choose, without their code, and how often each asks the network. */

export const SAMPLERS = ["euler", "heun", "dpmpp_2m"] as const;
/** A sampler by name. */
export type SamplerName = (typeof SAMPLERS)[number];

/** How many velocities so many steps ask for. @param sampler undefined means euler */
export const velocitiesOf = (sampler: SamplerName | undefined, numSteps: number): number =>
  sampler === "heun" ? Math.max(0, 2 * numSteps - 1) : numSteps;
