import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { withKeys } from "../../src/service/keys.ts";
import { threadEntry } from "../support/databases.ts";
import { copyEmptyDatabase } from "../support/embedded.ts";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const list = (folder: string): Promise<unknown> =>
  withKeys(
    {
      config: readConfig({ RETOUCH_DATA_DIR: folder }),
      log: createLog({ level: "silent" }),
      threadEntry,
    },
    (keys) => keys.list(),
  );

const closed = (folder: string): unknown =>
  refusal(
    "CONFIG_INVALID",
    `RETOUCH_DATA_DIR: ${folder} is closed to this user; run the command as the user of the service.`,
  );

it("are said to be closed to a user who may not look into their folder", async ({ skip }) => {
  if (noPermissionsHere) skip(noPermissionsHere);
  const above = await temporaryFolder();
  const folder = path.join(above, "data");
  await chmod(above, 0o711);
  await mkdir(folder);
  await chmod(folder, 0o000);
  await asOrdinaryUser(() => expect(list(folder)).rejects.toEqual(closed(folder)));
  await chmod(folder, 0o700);
});

it("are closed as well where the server's socket is another user's", async ({ skip }) => {
  if (noPermissionsHere) skip(noPermissionsHere);
  const folder = await temporaryFolder();
  await chmod(folder, 0o711);
  await writeFile(path.join(folder, "admin.sock"), "");
  await chmod(path.join(folder, "admin.sock"), 0o000);
  await asOrdinaryUser(() => expect(list(folder)).rejects.toEqual(closed(folder)));
});

it("are there where a service has run, whatever its socket left behind", async () => {
  const folder = await temporaryFolder();
  await copyEmptyDatabase(path.join(folder, "database"));
  await writeFile(path.join(folder, "admin.sock"), "");
  expect(await list(folder)).toEqual([]);
});
