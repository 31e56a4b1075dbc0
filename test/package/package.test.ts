/** The packed package in an empty project: installed by README's own line and used in every way. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fetchPackage, NODE_RELEASES } from "../../scripts/nodes.mjs";
import { decodePicture } from "../../src/images/decode.ts";
import { version } from "../../src/version.ts";
import { root } from "../support/fixtures.ts";
import { freePort } from "../support/served.ts";
import { createProject, describePackages, FILLING, OFFLINE, pack, type Project } from "./projects.ts";

const MINUTES = 60_000;
const line = /^npm install .*retouch-\S+\.tgz$/m.exec(
  await readFile(path.join(root, "README.md"), "utf8"),
)?.[0];
/** Each line of Node with the npm that it brings, or one as new. Each npm installs offline once what the first one got. */
const PAIRS = [
  [20, "10", FILLING],
  [22, "10", OFFLINE],
  [24, "this", OFFLINE],
] as const;

let tarball: string;
let missing: string | undefined;
beforeAll(async () => {
  expect(line, "README's line").toContain(`./retouch-${version}.tgz`);
  tarball = await pack();
  // Each npm may ask for other descriptions of the same packages.
  missing = await describePackages(tarball, line!);
}, 10 * MINUTES);
afterAll(() => rm(path.dirname(tarball), { recursive: true, force: true }));
beforeEach(({ skip }) => {
  if (missing !== undefined) skip(missing);
});

const STEPS = 2;
const edit = (module: string): string => `
  const main = async () => {
    const engine = await createEngine();
    const { bytes } = await readImageSource("node_modules/retouch/examples/bluebird.png");
    const size = { width: 128, height: 128 };
    const request = { image: bytes, prompt: "Make it night", size, numSteps: ${STEPS}, seed: 8 };
    let steps = 0;
    const { image } = await engine.edit(request, { onStep: () => steps++ });
    await engine.close();
    require("node:fs").writeFileSync("${module}.png", image);
    console.log(process.version, steps, new RetouchError("ABORTED", "ended") instanceof Error);
  };
  void main();
`;

describe.each(PAIRS)("the package under Node %i with npm %s", (nodeLine, npm, cache) => {
  let project: Project;
  let printed: string;
  beforeAll(async () => {
    if (missing !== undefined) return;
    project = await createProject(nodeLine, npm, tarball);
    printed = await project.shell(line!, cache);
  }, 10 * MINUTES);
  afterAll(() => project?.remove());

  it("is installed without a warning, and runs no script", () => {
    expect(printed).toMatch(/^\s*added \d+ packages in \S+\s*$/);
    expect(project.nvccCalls()).toEqual([]);
    const libraries = path.join(project.folder, "node_modules/onnxruntime-node/bin/napi-v6/linux/x64");
    expect(existsSync(path.join(libraries, "onnxruntime_binding.node"))).toBe(true);
    expect(existsSync(path.join(libraries, "libonnxruntime_providers_cuda.so"))).toBe(false);
  });

  it("edits for a program that imports it and for one that requires it, to the same bytes and silently", async () => {
    const names = "createEngine, readImageSource, RetouchError";
    const programs = {
      "esm.mjs": `import { ${names} } from "retouch"; import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);${edit("esm")}`,
      "cjs.cjs": `const { ${names} } = require("retouch");${edit("cjs")}`,
    };
    for (const [file, text] of Object.entries(programs)) {
      await writeFile(path.join(project.folder, file), text);
      const { stdout, stderr } = await project.run(project.node, [file]);
      expect(stdout.trim(), file).toBe(`v${NODE_RELEASES[nodeLine]} ${STEPS} true`);
      expect(stderr, file).toBe("");
    }
    const [imported, required] = await Promise.all(
      ["esm.png", "cjs.png"].map((name) => readFile(path.join(project.folder, name))),
    );
    expect(await decodePicture(imported!)).toMatchObject({ width: 128, height: 128 });
    expect(required!.equals(imported!)).toBe(true);
  });

  it("is one set of modules for a program that does both", async () => {
    const text = `const required = require("retouch");
      import("retouch").then(({ RetouchError }) => console.log(RetouchError === required.RetouchError));`;
    const { stdout, stderr } = await project.run(project.node, ["-e", text]);
    expect([stdout.trim(), stderr]).toEqual(["true", ""]);
  });

  it("brings the command", async () => {
    expect((await project.shell("npx retouch --version")).trim()).toBe(version);
    await project.shell(
      `npx retouch edit node_modules/retouch/examples/bluebird.png "Make it night" --steps ${STEPS} --size "128*128" -o out.png`,
    );
    expect(await decodePicture(await readFile(path.join(project.folder, "out.png")))).toMatchObject({
      width: 128,
    });
  });

  it("serves from there, the playground included, until it is told to end", async () => {
    const port = String(await freePort());
    const server = project.start(["serve"], { RETOUCH_PORT: port, RETOUCH_LOG_LEVEL: "warn" });
    const ended = once(server, "exit");
    let log = "";
    server.stderr!.on("data", (chunk: Buffer) => (log += chunk.toString()));
    const address = `http://127.0.0.1:${port}`;
    const isReady = (): Promise<boolean> =>
      fetch(`${address}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await expect.poll(isReady, { timeout: MINUTES, interval: 100 }).toBe(true);
    expect(await (await fetch(address)).text()).toContain("<title>");
    server.kill("SIGTERM");
    // As shells expect of a process that SIGTERM ended.
    expect(await ended, log).toEqual([143, null]);
    expect(log).toBe("retouch: Stopping when the running job has ended; a second signal stops at once.\n");
  });

  const LIBRARY_OF_NODE = [
    "--lib",
    "es2023",
    "--types",
    "node",
    "--typeRoots",
    path.join(root, "node_modules/@types"),
  ];
  const compilers = {
    "5.6.3": ["node16", "nodenext", "bundler", "node10"],
    "5.9.3": ["node16", "nodenext", "bundler", "node10"],
    "7.0.2": ["node16", "nodenext", "bundler"],
  };
  const cases = nodeLine === 24 ? Object.entries(compilers) : [];
  it.for(cases)(
    "has types that TypeScript %s understands, strictly",
    { timeout: 5 * MINUTES },
    async (of) => {
      const [release, resolutions] = of;
      const consumer = `import { createEngine, type EditResult, readImageSource, RetouchError } from "retouch";
      export async function night(file: string): Promise<EditResult> {
        const engine = await createEngine({ threads: 1 });
        const { bytes } = await readImageSource(file);
        return engine.edit({ image: bytes, prompt: "Make it night" }, { onStep: ({ step, of }) => void (step / of) });
      }
      export const isOurs = (error: unknown): boolean => error instanceof RetouchError && error.code.length > 0;
      // @ts-expect-error A number is no options: what is imported has types.
      void createEngine(1);`;
      for (const ending of ["ts", "mts", "cts"])
        await writeFile(path.join(project.folder, `consumer.${ending}`), consumer);
      const strictly = "--noEmit --strict --exactOptionalPropertyTypes --target es2022 --pretty false".split(
        " ",
      );
      const ways: string[][] = [];
      for (const resolution of resolutions) {
        const module = { bundler: "esnext", node10: "commonjs" }[resolution] ?? resolution;
        const files = module === resolution ? ["consumer.mts", "consumer.cts"] : ["consumer.ts"];
        const how = ["--module", module, "--moduleResolution", resolution];
        for (const library of [LIBRARY_OF_NODE, []]) ways.push([...strictly, ...how, ...library, ...files]);
      }
      for (const [index, complaints] of (await compile(project, release, ways)).entries())
        expect(complaints, ways[index]!.join(" ")).toBe("");
    },
  );
});

/** What the compiler complains about in each of `ways`, its command's arguments. */
async function compile(project: Project, release: string, ways: string[][]): Promise<string[]> {
  const compiler = fetchPackage("typescript", release);
  // Before 7 it is JavaScript, which takes most of its time to start.
  if (Number.parseInt(release, 10) < 7) {
    const program = path.join(root, "test", "package", "check-types.mjs");
    const { stdout } = await project.run(process.execPath, [program, compiler, JSON.stringify(ways)]);
    return JSON.parse(stdout) as string[];
  }
  const found: string[] = [];
  for (const way of ways) {
    const { stdout } = await project
      .run(process.execPath, [path.join(compiler, "bin", "tsc"), ...way])
      .catch((error: { stdout: string }) => error);
    found.push(stdout);
  }
  return found;
}
