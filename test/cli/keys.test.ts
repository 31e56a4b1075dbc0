/** `retouch keys` as a user runs it, beside a server, after one, and where there never was one. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { usedDataFolder } from "../support/embedded.ts";
import { root } from "../support/fixtures.ts";
import { environment, type Served, serve } from "../support/served.ts";
import { until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

const program = path.join(root, "bin", "retouch.js");
const shell = promisify(execFile);

/** A server that ends with the test, whatever becomes of it. */
async function started(settings: Record<string, string> = {}): Promise<Served> {
  const server = await serve(settings);
  onTestFinished(async () => void (await server.end("SIGKILL")));
  return server;
}

async function keys(settings: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [program, "keys", ...args], {
    cwd: tmpdir(),
    env: environment(settings),
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

describe("retouch keys", () => {
  it("makes, lists and revokes beside a running server, at once", async () => {
    const folder = await usedDataFolder();
    const server = await started({ RETOUCH_DATA_DIR: folder });
    const settings = { RETOUCH_DATA_DIR: folder };
    const made = await keys(settings, "create", "team", "--json");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const { key, id } = JSON.parse(made.stdout) as { key: string; id: string };
    expect((await server.call("/health", { key })).status).toBe(200);
    const { stdout: list } = await keys(settings, "list");
    expect(list).toContain(`${id}  ${key.slice(0, 10)}...`);
    expect(list).not.toContain(key);
    expect(await keys(settings, "revoke", id)).toEqual({
      code: 0,
      stdout: `${id} is revoked.\n`,
      stderr: "",
    });
    expect((await server.call("/health", { key })).status).toBe(401);
    expect((await keys(settings, "revoke", id)).code).toBe(2);
  });

  it("settles what a key may do, and says how it is", async () => {
    const settings = { RETOUCH_DATA_DIR: await usedDataFolder() };
    const { stdout } = await keys(settings, "create", "night shift", "--operator", "--json");
    const { id } = JSON.parse(stdout) as { id: string };
    expect((await keys(settings, "list")).stdout).toMatch(/ {2}operator {12}night shift\n$/);
    expect(await keys(settings, "update", id, "--no-operator", "--safety-threshold", "0.4")).toEqual({
      code: 0,
      stdout: `${id} is a client's key, with the safety threshold 0.4.\n`,
      stderr: "",
    });
    expect((await keys(settings, "update", id, "--safety-threshold", "default")).stdout).toBe(
      `${id} is a client's key, with the safety threshold of the settings.\n`,
    );
    expect(await keys(settings, "update", id, "--safety-threshold", "2")).toMatchObject({
      code: 2,
      stderr: "retouch: --safety-threshold must be a number from 0 to 1, or default.\n",
    });
    expect(await keys(settings, "update", id)).toMatchObject({
      code: 2,
      stderr: "retouch: --operator, --no-operator or --safety-threshold is missing.\n",
    });
    expect((await keys(settings, "update", "key_unknown", "--operator")).code).toBe(2);
  });

  it("works without a server where one has run, for the next one", async () => {
    const settings = { RETOUCH_DATA_DIR: await usedDataFolder() };
    const { stdout } = await keys(settings, "create", "before the next start");
    const key = stdout.split("\n")[0]!;
    expect(await readdir(settings.RETOUCH_DATA_DIR)).toEqual(["database"]);
    const server = await started(settings);
    expect(server.welcome).toContain("API key: the one you already have");
    expect((await server.call("/health", { key })).status).toBe(200);
    // Only a hash is kept.
    const found = await shell("grep", ["-rlaF", key, settings.RETOUCH_DATA_DIR]).catch(({ code }) => code);
    expect(found).toBe(1);
  });

  it("loses nothing when a server and several commands begin at the same moment", async () => {
    const settings = { RETOUCH_DATA_DIR: await usedDataFolder() };
    const names = ["a", "b", "c"];
    const [server, ...made] = await Promise.all([
      started({ ...settings, RETOUCH_API_KEY: "chosen-by-the-operator" }).catch((error: unknown) => error),
      ...names.map((name) => keys(settings, "create", name)),
    ]);
    for (const { code, stderr } of made) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    // A command may have had the folder at the moment when the server asked for it.
    const list = await keys(settings, "list");
    for (const name of names) expect(list.stdout).toMatch(new RegExp(`  ${name}$`, "m"));
    if (server instanceof Error) expect(server.message).toContain("is in use by process");
  }, 60_000);

  it("waits for a server that makes its database for the first time", async () => {
    const folder = await temporaryFolder();
    const settings = { RETOUCH_DATA_DIR: folder };
    const server = started(settings);
    await until(
      () => readdir(folder),
      (names) => names.includes("lock"),
    );
    const made = await keys(settings, "create", "early");
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
    const { call } = await server;
    expect((await call("/health", { key: made.stdout.split("\n")[0]! })).status).toBe(200);
  }, 60_000);

  it.each([
    ["nothing", ""],
    ["100,000 characters", "a".repeat(100_000)],
    ["an escape sequence", "shop\u001b[2J"],
    ["another line", "shop\nkey_0  rtk_"],
  ])("makes no key that is called %s", async (_, name) => {
    const folder = path.join(await temporaryFolder(), "data");
    expect(await keys({ RETOUCH_DATA_DIR: folder }, "create", name)).toEqual({
      code: 2,
      stdout: "",
      stderr: "retouch: The name of a key must have 1 to 100 characters, none of them a control character.\n",
    });
    await expect(stat(folder)).rejects.toThrow("ENOENT");
  });

  it.each([["revoke"], ["rotate-webhook-secret"], ["revoke-old-webhook-secrets"]])(
    "has no endless id for %s, and says of another one that there is none",
    async (command) => {
      const settings = { RETOUCH_DATA_DIR: await usedDataFolder() };
      const tooLong = await keys(settings, command, "k".repeat(100_000));
      expect([tooLong.code, tooLong.stderr]).toEqual([
        2,
        "retouch: <id> must have at most 100 characters, not 100000.\n",
      ]);
      const unknown = await keys(settings, command, "key_\u001b[2J");
      expect(unknown.code).toBe(2);
      expect(unknown.stderr).toMatch(
        /^retouch: There is no (active )?key with the id "key_\\u001b\[2J"\.\n$/,
      );
    },
  );
});

describe("retouch keys where there is no service", () => {
  const COMMANDS = [
    ["create", "team"],
    ["list"],
    ["revoke", "key_0"],
    ["rotate-webhook-secret", "key_0"],
    ["revoke-old-webhook-secrets", "key_0"],
  ];
  const sentence = (folder: string): string =>
    `retouch: There is no service in ${folder} (RETOUCH_DATA_DIR): start it there with \`retouch serve\`, or name its folder with --data-dir.\n`;

  it.each(COMMANDS)("says for %s which folder it looked in, and makes nothing", async (...args) => {
    const folder = await temporaryFolder();
    // A deep one, and one for whose socket there is no room in it.
    for (const name of args[0] === "create" ? ["missing", "missing/deeper", "a".repeat(120)] : ["missing"]) {
      const data = path.join(folder, name);
      expect(await keys({ RETOUCH_DATA_DIR: data }, ...args)).toEqual({
        code: 1,
        stdout: "",
        stderr: sentence(data),
      });
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it("looks in `data` of the working folder by itself, and names it whole", async () => {
    const folder = await temporaryFolder();
    const ran = await shell(process.execPath, [program, "keys", "create", "team"], {
      cwd: folder,
      env: environment({}),
    }).catch((error: { code: number; stderr: string }) => error);
    expect(ran).toMatchObject({ code: 1, stderr: sentence(path.join(folder, "data")) });
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves a folder of something else as it is", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "holiday.jpg"), "a picture");
    await mkdir(path.join(folder, "database"));
    const { code, stderr } = await keys({ RETOUCH_DATA_DIR: folder }, "list");
    expect([code, stderr]).toEqual([1, sentence(folder)]);
    expect((await readdir(folder)).toSorted()).toEqual(["database", "holiday.jpg"]);
    expect(await readdir(path.join(folder, "database"))).toEqual([]);
    const file = path.join(folder, "holiday.jpg");
    expect((await keys({ RETOUCH_DATA_DIR: file }, "list")).stderr).toBe(sentence(file));
  });

  it("makes no shelter for a socket elsewhere", async () => {
    const folder = await temporaryFolder();
    const temporary = path.join(folder, "tmp");
    await mkdir(temporary);
    const data = path.join(folder, "a".repeat(120));
    await keys({ RETOUCH_DATA_DIR: data, TMPDIR: temporary }, "list");
    expect(await readdir(temporary)).toEqual([]);
  });

  it("says which schema of which database it looked in, without the password, and makes nothing", async ({
    skip,
  }) => {
    if (postgresMissing !== undefined) skip(postgresMissing);
    const folder = path.join(await mkdtemp(path.join(tmpdir(), "retouch-test-")), "data");
    onTestFinished(() => rm(path.dirname(folder), { recursive: true, force: true }));
    const schema = newSchema();
    const url = new URL(databaseUrl);
    url.password = "hunter2hunter2";
    const settings = {
      DATABASE_URL: url.href,
      RETOUCH_DATABASE_SCHEMA: schema,
      RETOUCH_DATA_DIR: folder,
    };
    for (const args of COMMANDS) {
      expect(await keys(settings, ...args)).toEqual({
        code: 1,
        stdout: "",
        stderr:
          `retouch: There is no service in the schema ${schema} of the database ${url.host}${url.pathname} (DATABASE_URL, ` +
          "RETOUCH_DATABASE_SCHEMA): start it there with `retouch serve`, or name its database.\n",
      });
    }
    await expect(stat(folder)).rejects.toThrow("ENOENT");
    const client = new Client({ connectionString: databaseUrl });
    await client.connect();
    const { rows } = await client.query("select nspname from pg_namespace where nspname like $1", [
      `${schema}%`,
    ]);
    await client.end();
    expect(rows).toEqual([]);
  }, 60_000);

  it("opens neither pictures nor data folder where there is a database server", async ({ skip }) => {
    if (postgresMissing !== undefined) skip(postgresMissing);
    const folder = path.join(await temporaryFolder(), "data");
    const settings = {
      DATABASE_URL: databaseUrl,
      RETOUCH_DATABASE_SCHEMA: newSchema(),
      RETOUCH_WORKERS: "0",
    };
    onTestFinished(() => dropSchema(settings.RETOUCH_DATABASE_SCHEMA));
    const server = await started(settings);
    const bucket = { RETOUCH_S3_BUCKET: "away", RETOUCH_S3_ENDPOINT: "http://127.0.0.1:9" };
    const made = await keys({ ...settings, ...bucket, RETOUCH_DATA_DIR: folder }, "create", "team");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect((await server.call("/health", { key: made.stdout.split("\n")[0]! })).status).toBe(200);
    await expect(stat(folder)).rejects.toThrow("ENOENT");
  }, 60_000);
});

describe("retouch keys and webhook secrets", () => {
  it("signs with the secret that was shown, and with the next one beside it after a rotation", async () => {
    const calls: { body: Buffer; headers: Record<string, string> }[] = [];
    const receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        calls.push({ body: Buffer.concat(chunks), headers: request.headers as Record<string, string> });
        response.end();
      });
    }).listen(0, "127.0.0.1");
    await once(receiver, "listening");
    onTestFinished(() => void receiver.close());
    const { port } = receiver.address() as AddressInfo;
    const settings = { RETOUCH_DATA_DIR: await usedDataFolder() };
    const server = await started({
      ...settings,
      RETOUCH_WORKERS: "0",
      RETOUCH_LOG_LEVEL: "info",
      RETOUCH_ALLOW_PRIVATE_HOSTS: `127.0.0.1:${port}`,
    });
    const made = JSON.parse((await keys(settings, "create", "team", "--json")).stdout) as Record<
      "key" | "id" | "webhookSecret",
      string
    >;
    const { key, id } = made;
    const next = async () => {
      const before = calls.length;
      const webhook = `http://127.0.0.1:${port}/services/path-of-secrets?token=hunter2`;
      const input = { prompt: "a", image: `${server.address}/examples/bluebird.png` };
      const { body } = await server.call("/run", { key, body: { input, webhook } });
      await server.call(`/cancel/${body.id}`, { key, method: "POST" });
      await until(
        async () => calls.length,
        (count) => count > before,
      );
      return calls.at(-1)!;
    };
    const isSigned = ({ body, headers }: (typeof calls)[number], secret: string): boolean => {
      try {
        new Webhook(secret).verify(body, headers);
        return true;
      } catch {
        return false;
      }
    };
    expect(isSigned(await next(), made.webhookSecret)).toBe(true);

    const rotated = await keys(settings, "rotate-webhook-secret", id, "--keep", "2h");
    expect(rotated).toMatchObject({ code: 0, stderr: "" });
    expect(rotated.stdout).toMatch(
      /^whsec_\S{32}\nShown only once\. [^\n]+\nThe previous secret also signs until \S+T\S+Z\.\n$/,
    );
    const secret = rotated.stdout.split("\n")[0]!;
    const during = await next();
    expect([made.webhookSecret, secret].map((one) => isSigned(during, one))).toEqual([true, true]);

    expect(await keys(settings, "revoke-old-webhook-secrets", id)).toEqual({
      code: 0,
      stdout: `The old webhook secrets of ${id} no longer sign.\n`,
      stderr: "",
    });
    const after = await next();
    expect([made.webhookSecret, secret].map((one) => isSigned(after, one))).toEqual([false, true]);
    expect((await keys(settings, "revoke-old-webhook-secrets", id)).stdout).toBe(
      `${id} had no old webhook secrets.\n`,
    );

    const replaced = await keys(settings, "rotate-webhook-secret", id, "--keep", "0s", "--json");
    const { webhookSecret, ...rest } = JSON.parse(replaced.stdout) as Record<string, string>;
    expect(rest).toEqual({ id });
    const last = await next();
    expect([secret, webhookSecret!].map((one) => isSigned(last, one))).toEqual([false, true]);

    expect(server.log()).toContain(`"receiver":"http://127.0.0.1:${port}"`);
    expect(server.log()).not.toMatch(/path-of-secrets|hunter2|whsec_/);
  }, 60_000);

  it("refuses a time that is none", async () => {
    const settings = { RETOUCH_DATA_DIR: await temporaryFolder() };
    for (const keep of ["soon", "-1s", "31d", "1e3"]) {
      const { code, stderr } = await keys(settings, "rotate-webhook-secret", "key_0", `--keep=${keep}`);
      expect([code, stderr]).toEqual([
        2,
        "retouch: --keep must be a time from 0s to 30d, such as 250ms, 90s, 10m, 24h or 7d.\n",
      ]);
    }
  });
});
