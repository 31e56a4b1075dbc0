/** Model families of a module, in place of those that ship: how tests bring their own into another process. */
import type { Pipeline } from "../pipelines/pipeline.ts";

export async function importPipelines(module: URL | string): Promise<readonly Pipeline[]> {
  const { PIPELINES } = (await import(String(module))) as { PIPELINES: readonly Pipeline[] };
  return PIPELINES;
}
