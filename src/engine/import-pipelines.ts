/** Model families from a module, instead of the shipped ones: how tests bring their own into another process. */
import type { Pipeline } from "../pipelines/pipeline.ts";

export async function importPipelines(module: URL | string): Promise<readonly Pipeline[]> {
  const { PIPELINES } = (await import(String(module))) as { PIPELINES: readonly Pipeline[] };
  return PIPELINES;
}
