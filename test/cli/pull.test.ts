/** `retouch pull` as a process, against a local hub. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { COMMIT, type HubServer, REPOSITORY, serveHub } from "../support/hub-server.ts";
import { serve } from "../support/served.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { type Ended, retouch, type RunOptions } from "./run.ts";

const WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";

async function setUp(): Promise<{
  hub: HubServer;
  cacheFolder: string;
  env: Record<string, string>;
  pull: (flags: readonly string[], options?: RunOptions) => Promise<Ended>;
}> {
  const hub = await serveHub();
  const home = await temporaryFolder();
  const cacheFolder = path.join(home, "hub");
  const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: home, HF_HUB_CACHE: "", HF_TOKEN: "hf_of_the_test" };
  const pull = (flags: readonly string[], options: RunOptions = {}): Promise<Ended> =>
    retouch(["pull", ...flags], { ...options, env });
  return { hub, cacheFolder, env, pull };
}

const snapshotIn = (cacheFolder: string): string =>
  path.join(cacheFolder, `models--${REPOSITORY.replace("/", "--")}`, "snapshots", COMMIT);

describe("retouch pull", () => {
  it("wants the licence accepted where there is no terminal to ask", async () => {
    const { hub, cacheFolder, pull } = await setUp();
    const { code, stdout, stderr } = await pull(["--quiet"]);
    expect([code, stdout.toString(), stderr]).toEqual([
      2,
      "",
      `retouch: ${REPOSITORY} has the licence flux-1-dev-non-commercial-license, which must be accepted first: read it at ${hub.endpoint}/${REPOSITORY}/blob/main/LICENSE.md, then pass --accept-license.\n`,
    ]);
    expect(existsSync(cacheFolder)).toBe(false);
  });

  describe.skipIf(process.platform === "win32")("on a terminal", () => {
    /** What somebody sees who types this answer, and the exit code. */
    async function asked(answer: string): Promise<{ code: number; shown: string; cacheFolder: string }> {
      const { cacheFolder, env } = await setUp();
      const program = [process.execPath, path.join(root, "bin", "retouch.js"), "pull"];
      const terminal = path.join(root, "test", "cli", "terminal.py");
      const ended = await promisify(execFile)("python3", [terminal, "[y/N] ", answer, ...program], {
        env: { ...process.env, ...env },
      }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: { code: number; stdout: string }) => error,
      );
      return { code: ended.code, shown: ended.stdout, cacheFolder };
    }
    const QUESTION = "Do you accept this licence? [y/N] ";

    it("shows the licence, asks, and downloads after a yes", async () => {
      const { code, shown, cacheFolder } = await asked("yes\n");
      expect(shown).toMatch(/ has the licence flux-1-dev-non-commercial-license: http.*\r\n/);
      expect(shown).toContain(QUESTION);
      expect(shown).toContain(`${snapshotIn(cacheFolder)}\r\n`);
      expect(code).toBe(0);
      expect(existsSync(path.join(snapshotIn(cacheFolder), WEIGHTS))).toBe(true);
    });

    it.each([
      ["a no", "n\n"],
      ["an empty line", "\n"],
      ["the end of the input", "\u0004"],
    ])("downloads nothing after %s", async (_, answer) => {
      const { code, shown, cacheFolder } = await asked(answer);
      expect(shown).toContain(QUESTION);
      expect(shown).toMatch(/retouch: The licence was not accepted; nothing was downloaded\.\r\n$/);
      expect(code).toBe(2);
      expect(existsSync(cacheFolder)).toBe(false);
    });

    it("ends with code 130 after Ctrl-C", async () => {
      const { code, shown, cacheFolder } = await asked("\u0003");
      expect(shown).toContain(QUESTION);
      expect(code).toBe(130);
      expect(existsSync(cacheFolder)).toBe(false);
    });
  });

  it("lists the files, downloads them, and says how they are used; an edit finds them by name", async () => {
    const { hub, cacheFolder, env, pull } = await setUp();
    const edit = ["edit", "examples/bluebird.png", "Make it night", "--checkpoint", REPOSITORY];
    const before = await retouch(edit, { env });
    expect([before.code, before.stderr]).toEqual([
      1,
      `retouch: There is no folder ${REPOSITORY}, and no such repository in ${cacheFolder}: retouch pull ${REPOSITORY} downloads it.\n`,
    ]);

    const { code, stdout, stderr } = await pull(["--accept-license"]);
    const folder = snapshotIn(cacheFolder);
    expect([code, stdout.toString()]).toEqual([0, `${folder}\n`]);
    expect(stderr).toContain(` ${WEIGHTS}\n`);
    expect(stderr).toMatch(/^17 files, [\d.]+ kB, of which [\d.]+ kB to download\.$/m);
    expect(stderr).toContain(`has the licence flux-1-dev-non-commercial-license: ${hub.endpoint}/`);
    expect(stderr).toContain(`${WEIGHTS} downloaded; files left: `);
    expect(stderr).toMatch(new RegExp(`To use it: retouch edit PICTURE PROMPT --checkpoint ${folder}\n$`));
    expect(stderr).not.toContain("hf_of_the_test");
    expect(hub.asked[0]!.authorization).toBe("Bearer hf_of_the_test");

    const small = ["--steps", "1", "--size", "16x16", "-o", path.join(cacheFolder, "a.png"), "--json"];
    const edited = await retouch([...edit, ...small, "--no-safety-checker"], { env });
    expect([edited.code, edited.stderr]).toEqual([0, ""]);

    const server = await serve({ RETOUCH_CHECKPOINT: REPOSITORY, ...env });
    try {
      const image = await readFile(path.join(root, "examples", "bluebird.png"), "base64");
      const input = { prompt: "Make it night", image, size: "256*256", num_inference_steps: 1 };
      const { body } = await server.call("/runsync", { body: { input } });
      expect(body).toMatchObject({ status: "COMPLETED", output: { model: "FLUX.1-Kontext-dev" } });
    } finally {
      await server.end("SIGTERM");
    }

    const again = await pull(["--json"]);
    expect(JSON.parse(again.stdout.toString())).toMatchObject({ folder, commit: COMMIT, downloadedBytes: 0 });
    expect([again.code, again.stderr]).toEqual([0, ""]);
  });

  it.each(["SIGINT", "SIGKILL"] as const)("goes on after %s", async (signal) => {
    const { hub, cacheFolder, pull } = await setUp();
    let onHeld = (): void => {};
    hub.fault = (asked, response, bytes) => {
      if (asked.host !== "cdn" || asked.path !== WEIGHTS) return undefined;
      response.writeHead(200, { "content-length": bytes!.length });
      response.write(bytes!.subarray(0, 3000), () => setTimeout(onHeld, 2000));
      return true;
    };
    const ended = await pull(["--accept-license"], {
      onStart: (child) => {
        onHeld = () => child.kill(signal);
      },
    });
    expect([ended.code, ended.signal]).toEqual(signal === "SIGINT" ? [130, null] : [null, signal]);
    const sentence =
      "retouch: Stopping; what was downloaded is kept, and the same command continues from there.";
    if (signal === "SIGINT") expect(ended.stderr).toContain(sentence);
    const blobs = path.join(snapshotIn(cacheFolder), "../../blobs");
    expect((await stat(path.join(blobs, `${hub.oidOf(WEIGHTS)}.incomplete`))).size).toBe(3000);

    hub.fault = undefined;
    expect((await pull(["--accept-license", "--quiet"])).code).toBe(0);
    const ranges = hub
      .forBytes()
      .filter((asked) => asked.path === WEIGHTS)
      .map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=3000-"]);
  });
});
