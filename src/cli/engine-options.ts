/** Turns the flags for computing an edit into the engine's options; `network-options.ts` declares them. */
import { loadCacheFolder, loadContentCredentials } from "../config/config.ts";
import type { ComputeType, DeviceChoice, EngineOptions, ReferenceCache, WeightsChoice } from "../index.ts";
import { checkpointFolder } from "./checkpoint.ts";

/** The flags as commander passes them. */
export interface EngineFlags {
  checkpoint?: string | undefined;
  transformer?: string | undefined;
  vae?: string | undefined;
  textEncoder?: string | undefined;
  weights?: WeightsChoice | undefined;
  threads?: number | undefined;
  memoryLimit?: number | undefined;
  device?: DeviceChoice | undefined;
  computeType?: ComputeType | undefined;
  referenceCache?: ReferenceCache | undefined;
  safetyChecker?: boolean | undefined;
}

/**
 * @param loras files of the LoRAs that edits may name
 * @throws RetouchError CHECKPOINT_MISSING for a repository that was not downloaded
 */
export async function engineOptionsOf(
  flags: EngineFlags,
  loras: Readonly<Record<string, string>>,
): Promise<EngineOptions> {
  const { transformer, vae, textEncoder, weights, threads, memoryLimit, device, computeType } = flags;
  return {
    checkpoint: await checkpointFolder(flags.checkpoint),
    transformer,
    vae,
    textEncoder,
    loras,
    weights,
    cacheFolder: loadCacheFolder(),
    threads,
    memoryLimit,
    device,
    computeType,
    referenceCache: flags.referenceCache,
    safety: { isOn: flags.safetyChecker ?? true },
    contentCredentials: loadContentCredentials(),
  };
}
