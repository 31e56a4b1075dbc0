/** What a model can reach through `retouch mcp`: one folder, public addresses, and no file that somebody else made. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { appendFile, copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { smallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { CHECKPOINT, ONE_THREAD, retouch } from "./run.ts";

const program = fileURLToPath(new URL("../../bin/retouch.js", import.meta.url));
const BIRD = fileURLToPath(new URL("../../examples/bluebird.png", import.meta.url));

/** What the server may use, with `bird.png` in it, and beside it what it may not. */
let root: string;
let outside: string;
beforeEach(async () => {
  const folder = await temporaryFolder();
  [root, outside] = [path.join(folder, "root"), path.join(folder, "root-beside")];
  await Promise.all([mkdir(root), mkdir(outside)]);
  await copyFile(BIRD, path.join(root, "bird.png"));
  await copyFile(BIRD, path.join(outside, "secret.png"));
});

/** Starts the server and calls its tool: the text of the refusal, or the path that was written. */
async function started(
  ...flags: string[]
): Promise<(given: object, onprogress?: () => void) => Promise<string>> {
  const client = new Client({ name: "a test", version: "1.0.0" });
  const basics = ["mcp", "--checkpoint", CHECKPOINT, "--no-safety-checker", ...ONE_THREAD];
  const args = [program, ...basics, ...flags];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, cwd: root }));
  onTestFinished(() => client.close());
  return async (given, onprogress) => {
    const shared = { image: "bird.png", instruction: "Make it night", size: "64x48", steps: 1 };
    const call = { name: "edit_image", arguments: { ...shared, ...given } };
    const called = await client.callTool(call, undefined, onprogress && { onprogress });
    const content = called.content as { text?: string }[];
    return called.isError ? content[0]!.text! : /^picture +(.*)$/m.exec(content[1]!.text!)![1]!;
  };
}

const refusal = (argument: string): string =>
  `${argument} must be in ${root}, the folder that this server may use (--root).`;

describe("the folder of retouch mcp", () => {
  it("is all that is read, whatever a path looks like", async () => {
    await symlink(path.join(outside, "secret.png"), path.join(root, "link.png"));
    await symlink(outside, path.join(root, "way"), "dir");
    await symlink(path.join(outside, "none.png"), path.join(root, "nothing.png"));
    await symlink("bird.png", path.join(root, "inside.png"));
    const edit = await started();
    const secret = path.join(outside, "secret.png");
    for (const image of [
      secret,
      path.join(outside, "none.png"),
      "../root-beside/secret.png",
      "way/../../root-beside/secret.png",
      "link.png",
      "way/secret.png",
      "way/none.png",
      "nothing.png",
      pathToFileURL(secret).href,
      pathToFileURL(secret).href.replace("file:", "FILE:"),
      `${pathToFileURL(root).href}/%2e%2e/root-beside/secret.png`,
      "/etc/passwd",
      "..",
      "bird.png\0",
    ]) {
      expect(await edit({ image }), image).toBe(refusal("image"));
    }
    for (const image of [
      "./bird.png",
      "inside.png",
      path.join(root, "bird.png"),
      pathToFileURL(path.join(root, "bird.png")).href,
    ]) {
      expect(path.dirname(await edit({ image })), image).toBe(root);
    }
    expect(await edit({ image: "." })).toBe(". cannot be read: it is a folder.");
    expect(await edit({ image: "none/bird.png" })).toBe(
      "none/bird.png cannot be read: there is no such file.",
    );
  });

  it("is all that is written, whatever a path looks like", async () => {
    await symlink(path.join(outside, "new.png"), path.join(root, "nothing.png"));
    await symlink(path.join(outside, "secret.png"), path.join(root, "link.png"));
    await symlink(outside, path.join(root, "way"), "dir");
    const before = await readFile(path.join(outside, "secret.png"));
    const edit = await started("--overwrite");
    for (const output of [
      path.join(outside, "new.png"),
      "../new.png",
      "nothing.png",
      "link.png",
      "way/new.png",
      "way/deep/new.png",
      "/dev/stdout.png",
    ]) {
      expect(await edit({ output }), output).toBe(refusal("output"));
    }
    expect(await edit({ output: "folder/" })).toBe(
      "folder/ cannot be written: it is a folder, not a file name.",
    );
    expect(await edit({ output: "deep/new.png" })).toBe(path.join(root, "deep", "new.png"));
    expect(await readdir(outside)).toEqual(["secret.png"]);
    expect(await readFile(path.join(outside, "secret.png"))).toEqual(before);
  });

  it.skipIf(process.platform === "win32")("has no device that is read or written", async () => {
    execFileSync("mkfifo", [path.join(root, "pipe.png")]);
    const edit = await started("--overwrite");
    expect(await edit({ image: "pipe.png" })).toBe("image must be a file, not a device.");
    expect(await edit({ output: "pipe.png" })).toBe("output must be a file, not a device.");
  });

  it("is the one that --root names, from which paths start", async () => {
    await mkdir(path.join(outside, "inner"));
    await copyFile(BIRD, path.join(outside, "inner", "other.png"));
    const edit = await started("--root", path.join(outside, "inner"));
    const inner = path.join(outside, "inner");
    expect(await edit({ image: "other.png" })).toBe(path.join(inner, "other.edited.png"));
    expect(await edit({ image: path.join(root, "bird.png") })).toContain(`image must be in ${inner}, `);
  });

  it("has room on its disk for the results, or nothing is drawn", async ({ skip }) => {
    const disk = await smallDisk(1);
    if (typeof disk !== "string") return skip(disk.refused);
    await copyFile(BIRD, path.join(disk, "bird.png"));
    const edit = await started("--root", disk);
    const wanted = { size: "1024x1024", output: "b.png" };
    expect(await edit(wanted)).toMatch(
      /^output: a result of 1024 x 1024 pixels takes about 3\.1 MB, for which there is no room: its disk has 1\.0 MB left\.$/,
    );
    expect(await readdir(disk)).toEqual(["bird.png"]);
    expect(await edit({ ...wanted, size: "64x48" })).toBe(path.join(disk, "b.png"));
  });

  it("must be a folder, and not by chance the whole file system", async () => {
    const none = path.join(root, "none");
    for (const given of [none, path.join(root, "bird.png"), ""]) {
      const { code, stderr } = await retouch(["mcp", "--root", given]);
      expect([code, stderr]).toEqual([
        2,
        `retouch: --root must be a folder, not ${JSON.stringify(given)}.\n`,
      ]);
    }
    const { code, stderr } = await retouch(["mcp"], { cwd: path.parse(root).root });
    expect(stderr).toMatch(/^retouch: The working folder is .*; name a folder with --root\.\n$/);
    expect(code).toBe(2);
  });
});

describe("an address that a model names", () => {
  it("is public, unless --allow-private-hosts opens it, at a redirect too", async () => {
    let asked = 0;
    const server = createServer((request, response) => {
      asked += 1;
      if (request.url === "/moved") response.writeHead(302, { location: "http://127.0.0.2:1/" }).end();
      else void readFile(BIRD).then((bytes) => response.end(bytes));
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const closed = await started();
    for (const host of ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "2130706433"]) {
      expect(await closed({ image: `HTTP://${host}:${port}/bird.png` })).toMatch(
        /^http:\/\/.* cannot be downloaded: the address of .* is not public, and --allow-private-hosts does not allow it\.$/,
      );
    }
    expect(asked).toBe(0);
    const open = await started("--allow-private-hosts", `127.0.0.1:${port}`);
    expect(await open({ image: `http://127.0.0.1:${port}/bird.png` })).toBe(path.join(root, "edited.png"));
    expect(await open({ image: `http://127.0.0.1:${port}/moved` })).toContain("127.0.0.2 is not public");
    expect(asked).toBe(2);
  });

  it("is opened by hosts, addresses and networks only", async () => {
    const { code, stderr } = await retouch(["mcp", "--allow-private-hosts", "10/8"]);
    expect([code, stderr]).toEqual([
      2,
      'retouch: --allow-private-hosts must name hosts, addresses or networks, not "10/8".\n',
    ]);
  });
});

describe("a file that retouch mcp did not make", () => {
  const taken = (output: string): string =>
    `output ${output} already exists, and this server did not write it or it has been changed since; choose another name (retouch mcp --overwrite replaces it).`;

  it("is never replaced, the source itself and a link included", async () => {
    await writeFile(path.join(root, "notes.png"), "mine");
    await symlink("notes.png", path.join(root, "link.png"));
    const edit = await started();
    for (const output of ["notes.png", "link.png", path.join(root, "notes.png"), "bird.png"]) {
      expect(await edit({ output })).toBe(taken(output));
    }
    expect(await readFile(path.join(root, "notes.png"), "utf8")).toBe("mine");
    expect(await readFile(path.join(root, "bird.png"))).toEqual(await readFile(BIRD));
  });

  it("is one that it made and somebody changed or replaced", async () => {
    const edit = await started();
    const file = path.join(root, "a.png");
    const first = await edit({ output: "a.png", seed: 1 });
    const bytes = await readFile(file);
    expect(await edit({ output: file, seed: 2 })).toBe(first);
    expect(await readFile(file)).not.toEqual(bytes);
    await appendFile(file, "more");
    expect(await edit({ output: "a.png" })).toBe(taken("a.png"));
    await rm(file);
    expect(await edit({ output: "a.png" })).toBe(file);
    await rm(file);
    await writeFile(file, "another");
    expect(await edit({ output: "a.png" })).toBe(taken("a.png"));
    expect((await readdir(root)).toSorted()).toEqual(["a.png", "bird.png"]);
  });

  it("keeps its name when it comes while the edit runs", async () => {
    const edit = await started();
    const late = path.join(root, "late.png");
    let isThere = false;
    const answer = await edit({ output: "late.png", steps: 20 }, () => {
      if (!isThere) writeFileSync(late, "mine", { flag: "wx" });
      isThere = true;
    });
    expect([isThere, answer]).toEqual([true, taken("late.png")]);
    expect(await readFile(late, "utf8")).toBe("mine");
  });

  it("is replaced where --overwrite was given, and never by a name that was not chosen", async () => {
    await writeFile(path.join(root, "bird.edited.png"), "mine");
    const edit = await started("--overwrite");
    expect(await edit({})).toBe(path.join(root, "bird.edited-2.png"));
    expect(await readFile(path.join(root, "bird.edited.png"), "utf8")).toBe("mine");
    expect(await edit({ output: "bird.edited.png" })).toBe(path.join(root, "bird.edited.png"));
    expect(await readFile(path.join(root, "bird.edited.png"), "utf8")).not.toBe("mine");
  });
});
