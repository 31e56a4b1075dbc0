/** The flags of `retouch serve`, `worker` and `keys`, as a user types them. */
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { usedDataFolder } from "../support/embedded.ts";
import { root } from "../support/fixtures.ts";
import { environment, freePort } from "../support/served.ts";
import { retouch } from "./run.ts";

/** Starts `npm start -- FLAGS` and waits for its welcome; it ends with the test. */
async function npmStart(flags: readonly string[], variables: Record<string, string>): Promise<string> {
  const child = spawn("npm", ["start", "--", ...flags], {
    cwd: root,
    env: environment({ RETOUCH_LOG_LEVEL: "warn", ...variables }),
    stdio: ["ignore", "pipe", "pipe"],
    // A group, since a signal to npm alone may leave the server.
    detached: true,
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    process.kill(-child.pid!, "SIGTERM");
    await exited;
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("Playground: ")) resolve();
    });
    void exited.then(() => reject(new Error(said)));
  });
  return said;
}

describe("a flag of the service", () => {
  it("counts before its variable, through npm start too", async () => {
    const [port, other] = [await freePort(), await freePort()];
    const folder = await usedDataFolder();
    const said = await npmStart(["--port", String(port), "--data-dir", folder], {
      RETOUCH_PORT: String(other),
      RETOUCH_DATA_DIR: "/nowhere",
    });
    expect(said).toContain(`Retouch listens at http://127.0.0.1:${port}/`);
    const { code, stdout } = await retouch(["keys", "list", "--data-dir", folder, "--json"]);
    expect([code, JSON.parse(stdout.toString())]).toMatchObject([0, [{ name: "first key" }]]);
  });

  it("is what a sentence names where it was given", async () => {
    const folder = await usedDataFolder();
    const taken = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void taken.close());
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const args = ["serve", "--port", String(port), "--data-dir", folder, "--workers", "0"];
    const { code, stderr } = await retouch(args);
    expect([code, stderr]).toEqual([
      1,
      `retouch: --port: the port ${port} is in use; choose another one, such as --port=${port + 1}.\n`,
    ]);
    const missing = path.join(folder, "none");
    const keys = await retouch(["keys", "list", "--data-dir", missing]);
    expect(keys.stderr).toBe(
      `retouch: There is no service in ${missing} (--data-dir): start it there with \`retouch serve\`, or name its folder with --data-dir.\n`,
    );
    const plain = await retouch(["keys", "list"], { env: { RETOUCH_DATA_DIR: missing } });
    expect(plain.stderr).toContain(`in ${missing} (RETOUCH_DATA_DIR): `);
  });

  it("names the data folder of keys", async () => {
    const folder = await usedDataFolder();
    const made = await retouch(["keys", "create", "laptop", "--json", "--data-dir", folder]);
    const { id } = JSON.parse(made.stdout.toString()) as { id: string };
    const revoked = await retouch(["keys", "revoke", id, "--data-dir", folder]);
    expect(revoked.stdout.toString()).toBe(`${id} is revoked.\n`);
  });

  it.each([
    [["serve", "--port", "abc"], '--port must be a whole number from 0 to 65535, not "abc".'],
    [["serve", "-p", "65536"], '--port must be a whole number from 0 to 65535, not "65536".'],
    [["serve", "--port="], '--port must be a whole number from 0 to 65535, not "".'],
    [["serve", "--host", "a b"], '--host must be a host name or an IP address, not "a b".'],
    [["worker", "--workers", "65"], '--workers must be a whole number from 0 to 64, not "65".'],
    [["worker", "--device", "tpu"], '--device must be auto, cpu, cuda, webgpu, coreml or dml, not "tpu".'],
    [
      ["serve", "--public-url", "https://user:password@host"],
      '--public-url must be an http or https address such as https://edit.example.com, not "https://***@host".',
    ],
    [
      ["serve", "--allow-private-hosts", "10/8"],
      '--allow-private-hosts must name hosts, addresses or networks, not "10/8".',
    ],
    [
      ["serve", "--lora", "none"],
      '--lora must be a folder with .safetensors files, or name=file,name=file, not "none".',
    ],
    [["keys", "list", "--data-dir", ""], '--data-dir must be text on one line, not "".'],
    [["serve", "--prot", "1"], "unknown option '--prot' (Did you mean --port?); see retouch serve --help."],
  ] satisfies [string[], string][])(
    "that is wrong is named, and ends with code 2: %j",
    async (args, sentence) => {
      const { code, stdout, stderr } = await retouch(args);
      expect(stderr).toBe(`retouch: ${sentence}\n`);
      expect([code, stdout.length]).toEqual([2, 0]);
    },
  );

  it.each([
    [["serve", "--api-key", "0123456789abcdef"], "--api-key", "RETOUCH_API_KEY"],
    [["serve", "--api-key"], "--api-key", "RETOUCH_API_KEY"],
    [["worker", "--database-url=postgres://u:p@h/d"], "--database-url", "DATABASE_URL"],
    [["keys", "list", "--database-url", "postgres://u:p@h/d"], "--database-url", "DATABASE_URL"],
    [["serve", "--webhook-secret", "0123456789abcdef"], "--webhook-secret", "RETOUCH_WEBHOOK_SECRET"],
  ] satisfies [string[], string, string][])("is none of a secret: %j", async (args, flag, variable) => {
    const { code, stderr } = await retouch(args);
    expect(stderr).toBe(
      `retouch: ${flag} is not offered, because other users of this machine can see its command lines; ` +
        `set ${variable} in the environment or in .env.\n`,
    );
    expect(code).toBe(2);
  });
});
