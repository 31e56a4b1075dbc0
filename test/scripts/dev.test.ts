/** `npm run dev` on a copy of the sources, so that nothing is built anew under the other tests. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { version } from "../../src/version.ts";
import { root } from "../support/fixtures.ts";
import { environment, freePort } from "../support/served.ts";
import { temporaryFolder } from "../support/temporary.ts";

const MINUTE = 60_000;
const COPIED = [
  "bin",
  "checkpoints",
  "dist",
  "examples",
  "package.json",
  "scripts",
  "src",
  "tsconfig.build.json",
  "tsconfig.json",
  "web",
];

const isThere = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
it(
  "serves the page with the service behind it, takes a change over, outlives one that does not compile, and ends both",
  { timeout: 5 * MINUTE },
  async () => {
    const folder = await temporaryFolder();
    for (const name of COPIED) {
      const options = { recursive: true, preserveTimestamps: true };
      await cp(path.join(root, name), path.join(folder, name), options);
    }
    await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    const service = `http://127.0.0.1:${await freePort()}`;
    const child = spawn(process.execPath, ["scripts/dev.mjs", "--log-level", "warn"], {
      cwd: folder,
      env: environment({ RETOUCH_PORT: new URL(service).port, RETOUCH_DATA_DIR: path.join(folder, "data") }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    }
    const says = (words: RegExp): Promise<void> =>
      expect.poll(() => said, { timeout: MINUTE, interval: 50 }).toMatch(words);

    await says(/the service is up to date/);
    const page = /the page is at (http:\/\/localhost:\d+)\/#key=rtk_/.exec(said)![1]!;
    expect(await (await fetch(page)).text()).toContain("/@vite/client");
    expect(await (await fetch(`${page}/docs`)).text()).toContain("docs.ts");
    const versionOf = async (): Promise<string> => {
      const { info } = (await (await fetch(`${page}/openapi.json`)).json()) as { info: { version: string } };
      return info.version;
    };
    expect(await versionOf()).toBe(version);

    const source = path.join(folder, "src", "version.ts");
    const text = await readFile(source, "utf8");
    said = "";
    await writeFile(source, `${text}export const broken: number = "none";\n`);
    await says(/broken|TS2322/);
    expect(await versionOf()).toBe(version);

    said = "";
    await writeFile(source, text.replace("= manifest.version;", "= `${manifest.version}-changed`;"));
    await says(/the service is up to date/);
    expect(await versionOf()).toBe(`${version}-changed`);

    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect(await ended, said).toEqual([0, null]);
    expect(await isThere(`${service}/healthz`)).toBe(false);
    expect(await isThere(page)).toBe(false);
  },
);
