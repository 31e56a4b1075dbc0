/** Resolves `--checkpoint` and `RETOUCH_CHECKPOINT`: a folder, or a hub repository downloaded before. */
import { stat } from "node:fs/promises";
import { loadHubSettings } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { RetouchError } from "../errors.ts";
import { findSnapshot } from "../hub/cache.ts";
import { isRepositoryName, MAIN } from "../hub/repository.ts";

/**
 * Finds the folder. A folder of that name takes precedence over a repository.
 * @throws RetouchError CHECKPOINT_MISSING for a repository that was not downloaded
 */
export async function checkpointFolder(given: string | undefined): Promise<string | undefined> {
  if (given === undefined || !isRepositoryName(given)) return given;
  if ((await stat(given).catch(() => undefined)) !== undefined) return given;
  const { cacheFolder } = loadHubSettings();
  const folder = await findSnapshot(cacheFolder, { name: given, revision: MAIN });
  if (folder !== undefined) return folder;
  throw new RetouchError(
    "CHECKPOINT_MISSING",
    `There is no folder ${given}, and no such repository in ${cacheFolder}: retouch pull ${given} downloads it.`,
  );
}

/** The settings of a service, with the folder that `RETOUCH_CHECKPOINT` names. @throws as {@link checkpointFolder} */
export async function withCheckpointFolder(config: Config): Promise<Config> {
  return { ...config, checkpoint: await checkpointFolder(config.checkpoint) };
}
