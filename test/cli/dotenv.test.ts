/** `.env` as a user has it: in the folder of the project for `npm start`, and where a command is started. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { copyEmptyDatabase } from "../support/embedded.ts";
import { root } from "../support/fixtures.ts";
import { environment, freePort } from "../support/served.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { retouch } from "./run.ts";

/** A folder that npm takes for the checkout, without its `.env`. */
async function project(dotenv: string): Promise<string> {
  const folder = await temporaryFolder();
  await copyFile(path.join(root, "package.json"), path.join(folder, "package.json"));
  await symlink(path.join(root, "bin"), path.join(folder, "bin"), "dir");
  await writeFile(path.join(folder, ".env"), dotenv);
  return folder;
}

describe("npm start", () => {
  it("reads .env of the project", async () => {
    const port = await freePort();
    const folder = await project(
      `export RETOUCH_PORT=${port}\r\nRETOUCH_API_KEY="0123456789abcdef#1"\r\nRETOUCH_DATA_DIR=kept\r\nRETOUCH_WORKERS=0\r\n`,
    );
    await mkdir(path.join(folder, "kept"));
    await copyEmptyDatabase(path.join(folder, "kept", "database"));
    const child = spawn("npm", ["start"], {
      cwd: folder,
      env: environment({ RETOUCH_LOG_LEVEL: "warn" }),
      stdio: ["ignore", "pipe", "pipe"],
      // A group, since a signal to npm alone may leave the server.
      detached: true,
    });
    const exited = once(child, "exit");
    try {
      let said = "";
      await new Promise<void>((resolve, reject) => {
        child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
        child.stdout.on("data", (chunk: Buffer) => {
          said += chunk.toString();
          if (said.includes("Playground: ")) resolve();
        });
        void exited.then(() => reject(new Error(said)));
      });
      expect(said).toContain(`Retouch listens at http://127.0.0.1:${port}/`);
      const answer = await fetch(`http://127.0.0.1:${port}/v1/models`, {
        headers: { authorization: "Bearer 0123456789abcdef#1" },
      });
      expect(answer.status).toBe(200);
      // The keys of the same folder.
      const { stdout } = await retouch(["keys", "list", "--json"], { cwd: folder });
      expect(JSON.parse(stdout.toString())).toMatchObject([{ name: "RETOUCH_API_KEY" }]);
    } finally {
      process.kill(-child.pid!, "SIGTERM");
      await exited;
    }
  });
});

describe(".env of the working folder", () => {
  it.each([["serve"], ["worker"], ["keys", "list"]])("is read by retouch %s %s", async (...command) => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, ".env"), "RETOUCH_PROT=9000\nRETOUCH_WORKERS=many\n");
    const { code, stderr } = await retouch(command, { cwd: folder });
    expect(stderr).toBe(
      'retouch: RETOUCH_WORKERS (in .env) must be a whole number from 0 to 64, not "many".\n' +
        "retouch: RETOUCH_PROT (in .env) is not a setting; did you mean RETOUCH_PORT?\n",
    );
    expect(code).toBe(1);
  });

  it("ends the start with one sentence where it is a folder", async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, ".env"));
    const { code, stderr } = await retouch(["serve"], { cwd: folder });
    expect([code, stderr]).toEqual([
      1,
      `retouch: ${path.join(folder, ".env")} cannot be read: it is a folder.\n`,
    ]);
  });
});
