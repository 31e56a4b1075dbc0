/** The endpoints of a service: the default one, and those of RETOUCH_MODELS. */
import type { Config } from "../config/settings.ts";
import { SHIPPED_CHECKPOINT } from "../engine/shipped.ts";
import { USUAL_DEFAULTS } from "../engine/model-traits.ts";
import { failure, messageOf, RetouchError } from "../errors.ts";
import { DEFAULT_ENDPOINT } from "../jobs/endpoints.ts";
import { openCheckpoint, PIPELINES } from "../pipelines/index.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import type { ModelTraits } from "../server/schemas.ts";

export interface Endpoint {
  /** In addresses. */
  id: string;
  /** In the database: `jobs/endpoints.ts`. */
  name: string;
  /** Its folder; without it, the demo that ships. */
  checkpoint: string | undefined;
}

/** The default one first. */
export function endpointsOf({ endpointId, checkpoint, models = [] }: Config): Endpoint[] {
  return [
    { id: endpointId, name: DEFAULT_ENDPOINT, checkpoint },
    ...models.map((model) => ({ id: model.id, name: model.id, checkpoint: model.checkpoint })),
  ];
}

/** Those whose jobs the workers of this program take. */
export function workedEndpoints(config: Config): Endpoint[] {
  const { workerEndpoints: wanted } = config;
  return endpointsOf(config).filter(({ id }) => wanted === undefined || wanted.includes(id));
}

/**
 * The endpoints that RETOUCH_REFERENCE_CACHE is about.
 * @throws RetouchError CONFIG_INVALID if there is none among them
 */
export async function cachingEndpoints(
  endpoints: readonly Endpoint[],
  pipelines: readonly Pipeline[] = PIPELINES,
): Promise<readonly Endpoint[]> {
  const caching: Endpoint[] = [];
  for (const endpoint of endpoints) {
    // One that cannot be opened fails when it is loaded, with its own sentence.
    const opened = await openCheckpoint(endpoint.checkpoint ?? SHIPPED_CHECKPOINT, {}, pipelines).catch(
      () => undefined,
    );
    if (opened === undefined || opened.pipeline.takesReferenceCache) caching.push(endpoint);
  }
  if (caching.length > 0) return caching;
  const sentence = "no endpoint of these workers has a model that it is about: FLUX.2 [klein].";
  throw new RetouchError("CONFIG_INVALID", failure("about", { field: "RETOUCH_REFERENCE_CACHE", sentence }));
}

/**
 * What the model of an endpoint takes.
 * @throws RetouchError CONFIG_INVALID, naming the entry, for one of RETOUCH_MODELS that is no checkpoint or of no known
 * family
 */
export async function readTraits(
  { id, name, checkpoint = SHIPPED_CHECKPOINT }: Endpoint,
  pipelines: readonly Pipeline[] = PIPELINES,
): Promise<ModelTraits> {
  try {
    const opened = await openCheckpoint(checkpoint, {}, pipelines);
    const { minImages, maxImages, layouts, needsLayout, takesSizeRule, takesMask } = opened.pipeline;
    const { defaults, card } = opened;
    const taken = { minImages, maxImages, layouts, needsLayout, takesSizeRule, takesMask };
    return { name: opened.name, ...taken, defaults, card };
  } catch (error) {
    if (name === DEFAULT_ENDPOINT) return unknownTraits(pipelines);
    const sentence = `${id}: ${messageOf(error)}`;
    throw new RetouchError("CONFIG_INVALID", failure("about", { field: "RETOUCH_MODELS", sentence }), {
      cause: error,
    });
  }
}

/**
 * Of a default endpoint whose checkpoint only its workers have, as a server without workers of its own may be: as many
 * images as any model takes; the worker's engine knows the exact number.
 */
const unknownTraits = (pipelines: readonly Pipeline[]): ModelTraits => ({
  minImages: 1,
  maxImages: Math.max(...pipelines.map(({ maxImages }) => maxImages)),
  layouts: [...new Set(pipelines.flatMap(({ layouts = [] }) => layouts))],
  takesSizeRule: pipelines.some(({ takesSizeRule = false }) => takesSizeRule),
  takesMask: pipelines.some(({ takesMask }) => takesMask),
  defaults: USUAL_DEFAULTS,
});
