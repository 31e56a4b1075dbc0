/** What the Dockerfile says. `replay.test.ts` does what it says. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { variablesOf } from "../../src/config/secret-files.ts";
import type { Setting } from "../../src/config/setting.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { contextFiles, readDockerIgnore } from "../support/container/docker-ignore.ts";
import { type Instruction, parseDockerfile } from "../support/container/dockerfile.ts";
import { root } from "../support/fixtures.ts";

const textOf = (file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const { stages } = parseDockerfile(await textOf("Dockerfile"));
const last = stages.at(-1)!;

type Of<Kind extends Instruction["kind"]> = Extract<Instruction, { kind: Kind }>;
const all = <Kind extends Instruction["kind"]>(kind: Kind, of = stages): Of<Kind>[] =>
  of.flatMap(({ instructions }) => instructions.filter((one): one is Of<Kind> => one.kind === kind));
const environment = (of = stages): Record<string, string> =>
  Object.assign({}, ...all("ENV", of).map(({ variables }) => variables)) as Record<string, string>;

describe("the image", () => {
  it("is made of files that are there, all of which .dockerignore lets through, and no others", async () => {
    const copied = all("COPY").flatMap(({ from, sources }) => (from === undefined ? sources : []));
    const ignore = await textOf(".dockerignore");
    const allowed = [...ignore.matchAll(/^!(.+)$/gm)].map(([, name]) => name!);
    expect([...new Set(copied)].toSorted()).toEqual(allowed.toSorted());
    for (const file of copied) expect(existsSync(path.join(root, file)), file).toBe(true);
    const files = await contextFiles(root, readDockerIgnore(ignore));
    for (const file of files) {
      expect(
        copied.some((name) => file === name || file.startsWith(`${name}/`)),
        file,
      ).toBe(true);
    }
  });

  it("has all that the package has", async () => {
    const { files } = JSON.parse(await textOf("package.json")) as { files: string[] };
    const copied = all("COPY", [last]).flatMap(({ sources }) => sources.map((name) => path.basename(name)));
    expect(copied).toEqual(expect.arrayContaining(files));
  });

  it("is of one line of Node, with long support, that the package accepts", async () => {
    const { engines } = JSON.parse(await textOf("package.json")) as { engines: { node: string } };
    const names = new Set(stages.map(({ name }) => name));
    const images = new Set(stages.flatMap(({ from }) => (names.has(from) ? [] : [from])));
    expect(images.size).toBe(1);
    const line = Number(/^node:(\d+)-slim$/.exec([...images][0]!)![1]);
    expect(line % 2).toBe(0);
    const accepted = engines.node.split(" || ").some((range) => {
      const [, operator, major] = /^(\^|>=)(\d+)\.\d+\.\d+$/.exec(range)!;
      return operator === "^" ? line === Number(major) : line >= Number(major);
    });
    expect(accepted, `${engines.node} has ${line}`).toBe(true);
  });

  it("names only settings that there are", () => {
    const known = Object.values<Setting<unknown>>(SETTINGS).flatMap(variablesOf);
    const names = Object.keys(environment()).filter((name) => /^RETOUCH_|^DATABASE_URL/.test(name));
    expect(names).toEqual(["RETOUCH_HOST", "RETOUCH_DATA_DIR", "RETOUCH_CACHE_DIR"]);
    for (const name of names) expect(known).toContain(name);
  });

  it("keeps whatever it keeps in its volume, which belongs to the user that it runs as", () => {
    const { RETOUCH_DATA_DIR: data, ...others } = environment([last]);
    expect(all("VOLUME", [last])).toEqual([{ kind: "VOLUME", value: data }]);
    for (const name of ["RETOUCH_CACHE_DIR", "HOME", "HF_HOME", "TMPDIR"]) {
      expect(others[name], name).toMatch(new RegExp(`^${data}(/|$)`));
    }
    const order = last.instructions.map(({ kind }) => kind);
    expect(all("USER", [last])).toEqual([{ kind: "USER", value: "node" }]);
    expect(order.indexOf("USER")).toBeGreaterThan(order.lastIndexOf("RUN"));
  });

  it("tells nobody anything: neither npm while it is built, nor the runtime when it runs", () => {
    expect(environment(stages.slice(0, 1))).toMatchObject({
      NPM_CONFIG_UPDATE_NOTIFIER: "false",
      NPM_CONFIG_AUDIT: "false",
      NPM_CONFIG_FUND: "false",
    });
    expect(environment([last])).toMatchObject({ NODE_ENV: "production", ORT_DISABLE_TELEMETRY: "1" });
  });
});
