/** The short form of `npm run test:fuzz`, and that it finds what it is for (docs/fuzzing.md). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { root } from "../support/fixtures.ts";

const MINUTE = 60_000;
/** Of the short form: another seed is another run, and this one can be repeated. */
const SEED = "20261130";
const INPUTS = 200;

interface Result {
  outcomes: {
    name: string;
    inputs: number;
    isCut: boolean;
    violations: { index: number; what: string }[];
  }[];
}

interface Run {
  status: number | null;
  output: string;
  /** Undefined where it could not begin. */
  result: Result | undefined;
}

async function run(...args: string[]): Promise<Run> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, "result.json");
  const script = path.join(root, "scripts", "run-ts.mjs");
  const child = spawn(
    process.execPath,
    [script, path.join(root, "fuzz", "run.ts"), ...args, "--json", file],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  const text = await readFile(file, "utf8").catch(() => undefined);
  return { status, output, result: text === undefined ? undefined : (JSON.parse(text) as Result) };
}

it(
  `no parser answers ${INPUTS} made-up inputs with anything but a value or a refusal by name`,
  { timeout: 20 * MINUTE },
  async () => {
    const { status, output, result } = await run("--inputs", String(INPUTS), "--seed", SEED);
    expect(status, output).toBe(0);
    expect(output).toContain(`Seed ${SEED}, `);
    expect(result!.outcomes.length).toBeGreaterThan(40);
    for (const { name, inputs } of result!.outcomes) expect(inputs, name).toBe(INPUTS);
  },
);

/** Each was mended, but for those after it, which show that the runner notices an end, a hang, and what is kept. */
it.each([
  ["header-null", "safetensors", "TypeError: Cannot destructure"],
  ["tokenizer-ids", "clip-vocabulary", "gave the id "],
  ["broken-texts", "http-run", "answered 500"],
  ["extra-ids", "t5-settings", "did not end"],
  ["shard-folder", "shard-index", "outside.safetensors"],
  ["admin-status", "admin-socket", "answered 500"],
  ["signature-bytes", "signed-url", "called an address valid"],
  ["process-ends", "base64", "the process ended with SIGABRT"],
  ["endless-loop", "base64", "did not end"],
  ["memory-kept", "base64", "MiB"],
  ["pollution", "json", "Object.prototype was changed"],
])("finds the fault %s, put back, in %s", { timeout: 10 * MINUTE }, async (fault, name, what) => {
  const { status, output, result } = await run("--with-fault", fault, "--inputs", "20000", "--seed", "5");
  expect(status, output).toBe(1);
  const [outcome] = result!.outcomes;
  expect(outcome!.name).toBe(name);
  expect(outcome!.violations[0]?.what).toContain(what);
  expect(output).toContain(`npm run test:fuzz -- --replay ${name}:5:${outcome!.violations[0]!.index}`);
});

it("makes the same input again from its parser, seed and index", { timeout: 2 * MINUTE }, async () => {
  const shown = async (index: number): Promise<string | undefined> =>
    /^input: .*$/m.exec((await run("--replay", `json:5:${index}`)).output)?.[0];
  const first = await shown(9);
  expect(first).toMatch(/^input: "\{/);
  expect(await shown(9)).toBe(first);
  expect(await shown(10)).not.toBe(first);
});

it.each([
  [["--only", "nothing"], "There is no parser nothing; --list names them."],
  [["--with-fault", "nothing"], "There is no fault nothing."],
  [["--inputs", "0"], "--inputs must be a whole number above 0, not 0."],
  [["--replay", "json"], "--replay must be NAME:SEED:INDEX, not json."],
])("refuses %j", async (args, sentence) => {
  const { status, output, result } = await run(...args);
  expect(status).toBe(2);
  expect(output.trim()).toBe(sentence);
  expect(result).toBeUndefined();
});
