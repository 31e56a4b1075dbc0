import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { withCheckpointFolders } from "../../src/cli/checkpoint.ts";
import { workedEndpoints } from "../../src/service/endpoints.ts";
import { readConfig } from "../../src/config/config.ts";
import { COMMIT } from "../support/hub-server.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const REPOSITORY = "somebody/kontext";

describe("RETOUCH_CHECKPOINT", () => {
  const folderOf = async (checkpoint: string): Promise<string | undefined> =>
    (await withCheckpointFolders(readConfig({ RETOUCH_CHECKPOINT: checkpoint }))).checkpoint;

  it("means a folder, or a repository that was pulled", async () => {
    const cache = await temporaryFolder();
    vi.stubEnv("HF_HUB_CACHE", cache);
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(folderOf(REPOSITORY)).rejects.toEqual(
      refusal(
        "CHECKPOINT_MISSING",
        /^There is no folder somebody\/kontext, .* retouch pull somebody\/kontext /,
      ),
    );
    const pulled = path.join(cache, "models--somebody--kontext");
    const snapshot = path.join(pulled, "snapshots", COMMIT);
    await mkdir(path.join(pulled, "refs"), { recursive: true });
    await mkdir(snapshot, { recursive: true });
    await writeFile(path.join(pulled, "refs", "main"), COMMIT);
    expect(await folderOf(REPOSITORY)).toBe(snapshot);
    expect(await folderOf("checkpoints/tiny")).toBe("checkpoints/tiny");
    expect(await folderOf("/srv/nowhere")).toBe("/srv/nowhere");
    expect(await folderOf("")).toBeUndefined();
  });
});

describe("the checkpoints of a worker", () => {
  const MISSING = "CHECKPOINT_MISSING";

  it("are needed where it serves their endpoints, and elsewhere stay as they were given", async () => {
    vi.stubEnv("HF_HUB_CACHE", await temporaryFolder());
    onTestFinished(() => void vi.unstubAllEnvs());
    const folder = await temporaryFolder();
    const settings = {
      RETOUCH_CHECKPOINT: REPOSITORY,
      RETOUCH_MODELS: `here=${folder},there=somebody/klein`,
    };
    const foldersOf = async (served: string) => {
      const config = readConfig({ ...settings, RETOUCH_WORKER_ENDPOINTS: served });
      const { checkpoint, models } = await withCheckpointFolders(config, workedEndpoints(config));
      return [checkpoint, ...models!.map((model) => model.checkpoint)];
    };
    expect(await foldersOf("here")).toEqual([REPOSITORY, folder, "somebody/klein"]);
    await expect(foldersOf("here,there")).rejects.toEqual(
      refusal("CONFIG_INVALID", /^RETOUCH_MODELS: there: There is no folder somebody\/klein/),
    );
    await expect(foldersOf(`here,${readConfig({}).endpointId}`)).rejects.toEqual(
      refusal(MISSING, /^There is no folder somebody\/kontext/),
    );
    // A server says what every model takes.
    await expect(
      withCheckpointFolders(readConfig({ ...settings, RETOUCH_WORKER_ENDPOINTS: "here" })),
    ).rejects.toEqual(refusal(MISSING, /^There is no folder somebody\/kontext/));
  });
});
