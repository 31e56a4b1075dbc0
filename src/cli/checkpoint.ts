/** Resolves `--checkpoint`, `RETOUCH_CHECKPOINT` and `RETOUCH_MODELS`: a folder, or a hub repository downloaded before. */
import { stat } from "node:fs/promises";
import { loadHubSettings } from "../config/config.ts";
import type { NamedModel } from "../config/model-list.ts";
import type { Config } from "../config/settings.ts";
import { failure, messageOf, RetouchError } from "../errors.ts";
import { findSnapshot } from "../hub/cache.ts";
import { isRepositoryName, MAIN } from "../hub/repository.ts";
import { type Endpoint, endpointsOf } from "../service/endpoints.ts";

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

/**
 * The settings of a service, with the folders that `RETOUCH_CHECKPOINT` and `RETOUCH_MODELS` name.
 * @param endpoints those whose checkpoints are needed here; all others stay as they were given @default all
 * @throws as {@link checkpointFolder}; CONFIG_INVALID with the entry of RETOUCH_MODELS
 */
export async function withCheckpointFolders(
  config: Config,
  endpoints: readonly Pick<Endpoint, "id">[] = endpointsOf(config),
): Promise<Config> {
  const needed = new Set(endpoints.map(({ id }) => id));
  const isDefaultNeeded = needed.has(config.endpointId);
  const checkpoint = isDefaultNeeded ? await checkpointFolder(config.checkpoint) : config.checkpoint;
  const models: NamedModel[] = [];
  for (const model of config.models ?? []) {
    const { id, checkpoint: given } = model;
    if (!needed.has(id)) {
      models.push(model);
      continue;
    }
    try {
      models.push({ id, checkpoint: (await checkpointFolder(given))! });
    } catch (cause) {
      const sentence = `${id}: ${messageOf(cause)}`;
      throw new RetouchError("CONFIG_INVALID", failure("about", { field: "RETOUCH_MODELS", sentence }), {
        cause,
      });
    }
  }
  return { ...config, checkpoint, models };
}
