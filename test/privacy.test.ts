/**
 * Nothing leaves the machine: every way to start the runtime, in an empty user's folder and a network without a way out,
 * whose resolver remembers which names were asked for.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { buildModel, input } from "../src/onnx/graph.ts";
import { sin } from "../src/onnx/ops.ts";
import { type Caged, cageMissing, type CageOptions, inCage } from "./support/cage.ts";
import { root } from "./support/fixtures.ts";

const inRoot = (...names: string[]): string => path.join(root, ...names);
const NODE = process.execPath;
const PROGRAM = inRoot("bin", "retouch.js");
const BIRD = inRoot("examples", "bluebird.png");
const EDIT = [NODE, PROGRAM, "edit", BIRD, "Make it night", "--steps", "2", "-o", "night.png"];

/** The runtime's telemetry looks its collector up 8 to 10 seconds after the first network is loaded, and again. */
const WATCHED_MS = 12_000;

const HOW = "start the process with ORT_DISABLE_TELEMETRY=1 in its environment.\n";
const THREAD_REFUSAL = `CONFIG_INVALID A worker thread cannot keep the telemetry of onnxruntime off: ${HOW}`;
const LATE_REFUSAL = `CONFIG_INVALID onnxruntime was loaded by another part of this program, and its telemetry may be on: ${HOW}`;

const model = Buffer.from(buildModel("sine", { y: sin(input("x", "float32", [1])) })).toString("base64");
/** Programs of somebody who has installed the library, and the runtime beside it. */
const PROGRAMS = {
  "alone.js": `
    import { connect } from "node:net";
    import { InferenceSession } from "onnxruntime-node";
    await InferenceSession.create(Buffer.from("${model}", "base64"));
    for (const host of ["192.0.2.1", "2001:db8::1"]) connect(80, host).on("error", () => {});
    setTimeout(() => {}, Number(process.argv[2]));`,
  "library.js": `
    import { readFile } from "node:fs/promises";
    import { createEngine } from "retouch";
    const engine = await createEngine();
    const image = await readFile(${JSON.stringify(BIRD)});
    console.log((await engine.edit({ image, prompt: "Make it night", numSteps: 2 })).width);
    await engine.close();
    setTimeout(() => {}, Number(process.argv[2] ?? 0));`,
  "reset.js": `
    import { readFile } from "node:fs/promises";
    import { createEngine } from "retouch";
    // So little that no network is loaded before the edit.
    const engine = await createEngine({ memoryLimit: 3.4e8, weights: "fp32", safety: { isOn: false } });
    process.env.ORT_DISABLE_TELEMETRY = "0";
    const image = await readFile(${JSON.stringify(BIRD)});
    const size = { width: 128, height: 128 };
    console.log((await engine.edit({ image, prompt: "Make it night", size, numSteps: 2 })).width);`,
  "checker.js": `
    import { createSafetyChecker } from "retouch";
    await createSafetyChecker().prepare();`,
  "speed.js": `
    import { measureDevices, PUBLISHED_MODELS } from "retouch";
    await measureDevices(PUBLISHED_MODELS[1].plan);`,
  "thread.js": `
    import { SHARE_ENV, Worker } from "node:worker_threads";
    const env = process.argv[2] === "shared" ? SHARE_ENV : { ...process.env, ORT_DISABLE_TELEMETRY: "1" };
    const thread = new Worker(new URL("./library.js", import.meta.url), { env });
    thread.on("error", ({ code, message }) => console.log(code, message));`,
  "engine-then-thread.js": `
    import "./library.js";
    import "./thread.js";`,
  "late.js": `
    import "onnxruntime-node";
    import { createEngine } from "retouch";
    for (const attempt of [1, 2]) await createEngine().catch(({ code, message }) => console.log(code, message));`,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  const modules = path.join(folder, "node_modules");
  await mkdir(modules);
  await symlink(root, path.join(modules, "retouch"));
  await symlink(inRoot("node_modules", "onnxruntime-node"), path.join(modules, "onnxruntime-node"));
  await writeFile(path.join(folder, "package.json"), '{ "private": true, "type": "module" }');
  for (const [name, text] of Object.entries(PROGRAMS)) await writeFile(path.join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Skip = Pick<TestContext, "skip">;

/** Which kernels were measured to be the fastest, of one checkpoint, in a folder of Retouch's own. */
const MEASURED = /^home\/\.cache(?:\/retouch(?:\/products(?:\/[0-9a-f]{64}\.json)?)?)?$/;

/** Without the file of what was measured, which docs/cli.md tells of. */
async function caged({ skip }: Skip, command: readonly string[], options?: CageOptions): Promise<Caged> {
  if (cageMissing !== undefined) skip(cageMissing);
  const { files, ...rest } = await inCage(command, options);
  expect(files.filter((file) => file.includes("/products/")).length).toBeLessThanOrEqual(1);
  return { ...rest, files: files.filter((file) => !MEASURED.test(file)) };
}

const inProject = (context: Skip, [name, ...rest]: [keyof typeof PROGRAMS, ...string[]], env = {}) =>
  caged(context, [NODE, name, ...rest], { cwd: folder, env });

/** What a program did that succeeded, and left these files. */
const quiet = (files: string[]): Partial<Caged> => ({ code: 0, lookUps: [], attempts: 0, files });

describe.concurrent("in a network without a way out", () => {
  it("the runtime with its telemetry on is seen to look a name up and to leave files", async (context) => {
    const { code, lookUps, attempts, files } = await inProject(context, ["alone.js", String(WATCHED_MS)]);
    expect(code).toBe(0);
    expect(files).toEqual(expect.arrayContaining([expect.stringMatching(/^home\/.*onnxruntime\/deviceid$/)]));
    expect(lookUps).toEqual([expect.stringMatching(/\.data\.microsoft\.com$/)]);
    // The two addresses that the program itself connects to.
    expect(attempts).toBe(2);
  });

  it("a service that edits, and is left alone then, does neither", async (context) => {
    const served = inRoot("test", "support", "served-edit.mjs");
    const done = await caged(context, [NODE, served, PROGRAM, BIRD, String(WATCHED_MS)]);
    expect(done).toMatchObject({ ...quiet(["work/data"]), stdout: "COMPLETED 143\n" });
    expect(done.stderr).not.toMatch(/warning/i);
  });

  it("a program with the library does neither, as long as it runs", async (context) => {
    const done = await inProject(context, ["library.js", String(WATCHED_MS)]);
    expect(done).toMatchObject({ ...quiet([]), stdout: "1024\n", stderr: "" });
  });

  it("so does one that was started with ORT_DISABLE_TELEMETRY=0", async (context) => {
    const env = { ORT_DISABLE_TELEMETRY: "0" };
    const done = await inProject(context, ["library.js", String(WATCHED_MS)], env);
    expect(done).toMatchObject(quiet([]));
  });

  it("a download looks up the hub and nothing else", async (context) => {
    const { lookUps } = await caged(context, [NODE, PROGRAM, "pull", "--accept-license"]);
    expect(lookUps).toEqual(["huggingface.co"]);
  });
});

describe("nothing is looked up, and no file left that was not asked for,", () => {
  for (const value of [undefined, "0", "", "no"]) {
    const env = value === undefined ? {} : { ORT_DISABLE_TELEMETRY: value };

    it(`by retouch edit with ${JSON.stringify(env)} in its environment`, async (context) => {
      expect(await caged(context, EDIT, { env })).toMatchObject(quiet(["work/night.png"]));
    });
  }

  it.for(["checker.js", "speed.js"] as const)("by %s, which needs no engine", async (name, context) => {
    expect(await inProject(context, [name])).toMatchObject(quiet([]));
  });

  it("by the library, where the variable is changed after it was loaded", async (context) => {
    expect(await inProject(context, ["reset.js"])).toMatchObject({ ...quiet([]), stdout: "128\n" });
  });

  it("by retouch doctor, which tries the devices", async (context) => {
    expect(await caged(context, [NODE, PROGRAM, "doctor"])).toMatchObject(quiet([]));
  });

  it("by retouch mcp", async (context) => {
    const client = inRoot("test", "support", "mcp-edit.mjs");
    const done = await caged(context, [NODE, client, PROGRAM, BIRD]);
    expect(done).toMatchObject({ code: 0, stdout: "edited\n", lookUps: [], attempts: 0 });
    expect(done.files.filter((file) => !file.startsWith("work/"))).toEqual([]);
  });

  it("by retouch quantize but the weights, in its cache folder", async (context) => {
    const done = await caged(context, [NODE, PROGRAM, "quantize", "--weights", "int8"]);
    expect(done).toMatchObject({ code: 0, lookUps: [], attempts: 0 });
    expect(done.files.filter((file) => !/^home\/\.cache(?:\/retouch\b.*)?$/.test(file))).toEqual([]);
  });

  it("by a measurement, which runs a bundle of its own", async (context) => {
    const order = {
      image: BIRD,
      prompt: "Make it night",
      width: 128,
      height: 128,
      steps: 2,
      guidance: 2.5,
      seed: 1,
    };
    const script = inRoot("scripts", "run-ts.mjs");
    const measured = inRoot("bench", "sides", "first-step-process.ts");
    const checkpoint = inRoot("checkpoints", "tiny");
    const command = [NODE, script, measured, checkpoint, "1", JSON.stringify(order)];
    expect(await caged(context, command)).toMatchObject({ ...quiet([]), stdout: "first step\n" });
  });

  it("by npm, whose own question for a newer version is off here", async (context) => {
    const command = ["npm", "run", "edit", "--", "--help"];
    const { lookUps, stderr, files } = await caged(context, command, { cwd: root });
    expect({ lookUps, stderr }).toEqual({ lookUps: [], stderr: "" });
    expect(files).not.toContain("home/.npm/_update-notifier-last-checked");
    // The same is seen where it is on.
    const asking = await caged(context, ["npm", "run", "--update-notifier", "edit", "--", "--help"], {
      cwd: root,
    });
    expect(asking.lookUps).toEqual([expect.stringContaining("registry")]);
  });
});

describe("what is asked for is all that is looked up", () => {
  const BUCKET = { RETOUCH_S3_BUCKET: "pictures", RETOUCH_S3_REGION: "eu-central-1" };

  it("for a bucket with keys: the bucket, without a word of the SDK", async (context) => {
    const env = { ...BUCKET, RETOUCH_S3_ACCESS_KEY_ID: "id", RETOUCH_S3_SECRET_ACCESS_KEY: "secret" };
    expect(await caged(context, [NODE, PROGRAM, "serve"], { env })).toMatchObject({
      lookUps: ["pictures.s3.eu-central-1.amazonaws.com"],
      attempts: 0,
      stderr: "retouch: RETOUCH_S3_BUCKET: there is no host of this name.\n",
      files: ["work/data"],
    });
  });

  it("for a bucket without keys: the machine's role, unless the SDK is told not to", async (context) => {
    const serve = [NODE, PROGRAM, "serve"];
    const without = await caged(context, serve, { env: { ...BUCKET, AWS_EC2_METADATA_DISABLED: "true" } });
    expect(without).toMatchObject({ lookUps: [], attempts: 0, files: ["work/data"] });
    expect(without.stderr).toContain("RETOUCH_S3_ACCESS_KEY_ID is missing");
    const { lookUps, attempts } = await caged(context, serve, { env: BUCKET });
    expect(lookUps).toEqual([]);
    expect(attempts).toBeGreaterThan(0);
  });

  it("for a picture of an address: its host", async (context) => {
    const edit = [NODE, PROGRAM, "edit", "https://example.com/a.png", "Make it night"];
    expect((await caged(context, edit)).lookUps).toEqual(["example.com"]);
  });
});

describe("the library refuses, rather than to be watched,", () => {
  it("in a worker thread, whose environment is a copy", async (context) => {
    expect(await inProject(context, ["thread.js"])).toMatchObject({ ...quiet([]), stdout: THREAD_REFUSAL });
  });

  it("where something else has loaded the runtime, however often it is asked", async (context) => {
    const done = await inProject(context, ["late.js"]);
    expect(done).toMatchObject({ ...quiet([]), stdout: LATE_REFUSAL.repeat(2) });
  });
});

describe("the library edits", () => {
  const OFF = { ORT_DISABLE_TELEMETRY: "1" };

  it.for<[string, ["thread.js" | "engine-then-thread.js", ...string[]], object, string]>([
    ["in a worker thread of a process that was started so", ["thread.js"], OFF, "1024\n"],
    ["in a worker thread that shares its process's environment", ["thread.js", "shared"], {}, "1024\n"],
    ["in a worker thread after the main thread", ["engine-then-thread.js"], {}, "1024\n1024\n"],
  ])("%s", async ([, command, env, printed], context) => {
    expect(await inProject(context, command, env)).toMatchObject({ ...quiet([]), stdout: printed });
  });

  it("where something else has loaded the runtime with its telemetry off", async (context) => {
    expect(await inProject(context, ["late.js"], OFF)).toMatchObject({ ...quiet([]), stdout: "" });
  });
});
