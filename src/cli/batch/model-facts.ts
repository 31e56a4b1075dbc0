/** What the checkpoint's model takes of an edit, read before its networks. */
import { type EngineOptions, openCheckpoint, SHIPPED_CHECKPOINT } from "../../index.ts";
import type { ModelFacts } from "./plan.ts";

/** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED */
export async function readModelFacts(options: EngineOptions): Promise<ModelFacts> {
  const { checkpoint: folder = SHIPPED_CHECKPOINT, transformer, vae, textEncoder, loras = {} } = options;
  const { checkpoint, pipeline, defaults } = await openCheckpoint(folder, { transformer, vae, textEncoder });
  const files = [transformer, vae, textEncoder].map((file) => file ?? "");
  const loraFiles = Object.entries(loras).map(([name, file]) => `${name}=${file}`);
  return {
    identity: [checkpoint.folder, ...files, ...loraFiles],
    limits: pipeline,
    takesSizeRule: pipeline.takesSizeRule ?? false,
    takesMask: pipeline.takesMask,
    defaults,
    loras: Object.keys(loras),
  };
}
