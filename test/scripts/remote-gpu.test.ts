/** What a borrowed machine with a GPU and no network gets, and the programs that run there. */
import { execFile, spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { STAGES } from "../../bench/gpu/options.ts";
import { bundlePrograms } from "../../scripts/remote-gpu/programs.ts";
import { inRepository, ROOT } from "../../tools/paths.ts";
import { temporaryFolder } from "../support/temporary.ts";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const bundle = inRepository("scripts", "remote-gpu", "bundle.py");

/** A Python program's end. */
function python(...args: string[]): { code: number | null; output: string; error: string } {
  const done = spawnSync("python3", args, { encoding: "utf8", cwd: ROOT });
  return { code: done.status, output: done.stdout, error: done.stderr };
}

it("gets programs of one file each, which start with nothing but the packages of machine code", async () => {
  const folder = await temporaryFolder();
  await bundlePrograms(folder);
  await mkdir(path.join(folder, "node_modules"));
  for (const name of ["onnxruntime-node", "sharp"]) {
    await symlink(inRepository("node_modules", name), path.join(folder, "node_modules", name));
  }
  const programs = path.join(folder, "programs");
  expect((await readdir(programs)).toSorted()).toEqual(["run.mjs", "step-process.mjs"]);
  const started = promisify(execFile)(process.execPath, [path.join(programs, "run.mjs")], { cwd: folder });
  await expect(started).rejects.toMatchObject({ code: 1, stderr: "bench: --folder is missing.\n" });
});

describe.skipIf(!hasPython)("the bundle", () => {
  /** A folder of two files, packed into parts of 600 bytes. */
  async function packed(text = "x"): Promise<{ home: string; folder: string; parts: string[] }> {
    const home = await temporaryFolder();
    const folder = path.join(home, "bundle");
    await mkdir(path.join(folder, "bin"), { recursive: true });
    await writeFile(path.join(folder, "bin", "node"), text.repeat(50), { mode: 0o755 });
    const noise = Uint8Array.from({ length: 700 }, (_, index) => (index * index * 7919) >> 3);
    await writeFile(path.join(folder, "noise"), noise);
    expect(python(bundle, "pack", folder, path.join(home, "parts"), "9", "600").code).toBe(0);
    const parts = (await readdir(path.join(home, "parts"))).toSorted();
    return { home, folder, parts: parts.map((name) => path.join(home, "parts", name)) };
  }

  it("comes in parts and is the same folder there", async () => {
    const { home, folder, parts } = await packed();
    expect(parts.length).toBeGreaterThan(1);
    const there = path.join(home, "there");
    for (const [index, part] of parts.entries()) {
      expect(python(bundle, "take", part, there).output).toContain(
        `: ${index + 1} of ${parts.length} parts.`,
      );
    }
    for (let time = 0; time < 2; time += 1) expect(python(bundle, "open", there)).toMatchObject({ code: 0 });
    for (const name of ["bin/node", "noise"]) {
      expect(await readFile(path.join(there, "bundle", name))).toEqual(
        await readFile(path.join(folder, name)),
      );
    }
    expect(spawnSync("test", ["-x", path.join(there, "bundle", "bin", "node")]).status).toBe(0);
  });

  it("is refused where a part is damaged or missing", async () => {
    const { home, parts } = await packed();
    const there = path.join(home, "there");
    const file = path.join(parts[1]!, "bundle.01");
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([whole.subarray(1), Buffer.of(whole[0]! ^ 1)]));
    expect(python(bundle, "take", parts[1]!, there)).toMatchObject({
      code: 1,
      error: "bundle.01 is damaged: its checksum is not the one in SHA256SUMS.\n",
    });
    for (const part of parts.filter((_, index) => index !== 1)) python(bundle, "take", part, there);
    expect(python(bundle, "open", there)).toMatchObject({
      code: 1,
      error: "bundle.01 is missing; carry them first.\n",
    });
  });

  it("replaces what was carried of another bundle", async () => {
    const [old, fresh] = [await packed("a"), await packed("b")];
    const there = path.join(old.home, "there");
    for (const part of [...old.parts, ...fresh.parts]) python(bundle, "take", part, there);
    expect(python(bundle, "open", there).code).toBe(0);
    expect(await readFile(path.join(there, "bundle", "bin", "node"), "utf8")).toBe("b".repeat(50));
  });

  it("brings results home in parts that are checked", async () => {
    const home = await temporaryFolder();
    await mkdir(path.join(home, "results"));
    await writeFile(path.join(home, "results", "report.json"), "{}");
    expect(python(bundle, "results", path.join(home, "results"), path.join(home, "out")).code).toBe(0);
    const joined = path.join(home, "joined");
    expect(spawnSync("sh", [path.join(home, "out", "join.sh"), joined]).status).toBe(0);
    expect(await readFile(path.join(joined, "report.json"), "utf8")).toBe("{}");
  });
});

describe.skipIf(!hasPython)("the plan of a benchmark", () => {
  /** Evaluates an expression over the plan's module. */
  function evaluate(expression: string): { output: string; error: string } {
    const program = `import sys; sys.path.insert(0, "scripts/remote-gpu"); import plan; print(${expression})`;
    return python("-c", program);
  }

  it("adds up, and has a command for every part and stage", () => {
    const { output } = evaluate(
      'plan.bench_json(plan.bench(2 * plan.MIB, {"parts/00": 58 * plan.MIB, "parts/01": 7 * plan.MIB}))',
    );
    const { calls, ...whole } = JSON.parse(output) as {
      calls: { command: string; minutes: number; carry: string[]; carried_mib: number }[];
      tree_mib: number;
      work_minutes: number;
      most_carried_mib: number;
    };
    expect(whole).toMatchObject({ tree_mib: 2, most_carried_mib: 64 });
    expect(calls.map(({ carried_mib }) => carried_mib)).toEqual([60, 9, 2, 2, 2]);
    expect(calls[1]).toMatchObject({
      command: "sh scripts/remote-gpu/bench.sh take parts/01",
      carry: ["parts/01"],
    });
    expect(calls.reduce((sum, { minutes }) => sum + minutes, 0)).toBeCloseTo(whole.work_minutes);
    expect(Math.max(...calls.map(({ minutes }) => minutes))).toBeLessThanOrEqual(9);
    const stages = calls.flatMap(({ command }) => / run "\$OUT" (.*)$/.exec(command)?.[1]!.split(" ") ?? []);
    expect(stages).toEqual(STAGES);
  });

  it("is refused where a call would carry too much", () => {
    const { error } = evaluate('plan.bench(7 * plan.MIB, {"parts/00": 58 * plan.MIB})');
    expect(error).toBe(
      "part 1 of 1 would carry 65.0 MiB, 7.0 of them the working tree, and at most 64 MiB can be carried.\n",
    );
  });

  it("leaves checkpoints and tests out of the tree that travels", () => {
    const { output } = evaluate("plan.bytes_of(plan.sparse_files()) / plan.MIB");
    // Parts have 62 of the 64 MiB.
    expect(Number(output)).toBeGreaterThan(0.2);
    expect(Number(output)).toBeLessThan(2);
  });
});
