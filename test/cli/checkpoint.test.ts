import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { withCheckpointFolders } from "../../src/cli/checkpoint.ts";
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
