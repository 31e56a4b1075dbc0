import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ConvertedNetwork } from "../../src/index.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { CHECKPOINT, ONE_THREAD, retouch } from "./run.ts";

const KLEIN = path.join(fixtures, "klein", "checkpoints", "plain");
const BLUEBIRD = path.join(root, "examples", "bluebird.png");

describe("retouch quantize", () => {
  it("converts what the cache lacks, says how exact, and an edit finds it", async () => {
    const env = { RETOUCH_CACHE_DIR: await temporaryFolder() };
    const args = ["quantize", "--weights", "int8", "--checkpoint", CHECKPOINT];
    const { code, stdout, stderr } = await retouch([...args, "--json"], { env });
    expect([code, stderr]).toEqual([0, ""]);
    const report = JSON.parse(stdout.toString()) as { kind: string; networks: ConvertedNetwork[] };
    expect(report.kind).toBe("int8");
    expect(report.networks.map(({ network, isNew }) => [network, isNew])).toEqual([
      ["transformer", true],
      ["t5", true],
    ]);
    for (const { file } of report.networks) expect(existsSync(file!), file!).toBe(true);
    const errors = report.networks.flatMap((network) => network.errors);
    expect(errors.length).toBeGreaterThan(0);
    for (const { relativeError } of errors) expect(relativeError).toBeLessThan(0.02);

    const again = (await retouch(args, { env })).stdout.toString();
    expect(again.match(/, which was already there$/gm)).toHaveLength(2);
    expect(again).toMatch(
      /^ {2}\d+ rounded weights are off by .* % \(median\), at most .* % \(.*\.weight\)$/m,
    );

    const folder = await temporaryFolder();
    const edit = [
      "edit",
      "-",
      "Make it night",
      "--checkpoint",
      CHECKPOINT,
      "--weights",
      "int8",
      "--steps",
      "1",
    ];
    const input = await readFile(new URL("../../examples/bluebird.png", import.meta.url));
    const ended = await retouch([...edit, "-o", "out.png", "--json", ...ONE_THREAD], {
      env,
      cwd: folder,
      input,
    });
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout.toString())).toMatchObject({
      weights: { transformer: "int8", t5: "int8" },
    });
  });

  it("converts the networks of a klein folder, and an edit of several images, or of none, finds them", async () => {
    const env = { RETOUCH_CACHE_DIR: await temporaryFolder() };
    // Its matrices are narrower than a block of few bits.
    const weights = ["--weights", "fp16", "--checkpoint", KLEIN];
    const { code, stdout, stderr } = await retouch(["quantize", ...weights, "--json"], { env });
    expect([code, stderr]).toEqual([0, ""]);
    const { networks } = JSON.parse(stdout.toString()) as { networks: ConvertedNetwork[] };
    expect(networks.map(({ network, isNew }) => [network, isNew])).toEqual([
      ["transformer", true],
      ["qwen3", true],
    ]);
    const keys = networks.map(({ errors }) => errors.map(({ key }) => key));
    expect(keys[0]).toContain("transformer_blocks.0.attn.to_q.weight");
    expect(keys[1]).toContain("model.layers.0.self_attn.q_proj.weight");
    for (const { file, errors } of networks) {
      expect(existsSync(file!), file!).toBe(true);
      for (const { key, relativeError } of errors) expect(relativeError, key).toBeLessThan(0.001);
    }
    const before = await readdir(env.RETOUCH_CACHE_DIR);
    const cwd = await temporaryFolder();
    for (const images of [[], [BLUEBIRD, BLUEBIRD]]) {
      const edit = ["edit", ...images, "Make it night", ...weights, "--steps", "1", "--size", "64x64"];
      const output = ["-o", "out.png", "--json", "--quiet", "--no-safety-checker", ...ONE_THREAD];
      const ended = await retouch([...edit, ...output], { env, cwd });
      expect([ended.code, ended.stderr]).toEqual([0, ""]);
      expect((await stat(path.join(cwd, "out.png"))).size).toBeGreaterThan(0);
    }
    // Nothing is converted a second time.
    expect(await readdir(env.RETOUCH_CACHE_DIR)).toEqual(before);
  });

  it("converts nothing that the checkpoint holds as it is wanted", async () => {
    const folder = await temporaryFolder();
    const env = { RETOUCH_CACHE_DIR: folder };
    const { code, stdout } = await retouch(["quantize", "--weights", "fp16"], { env });
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(
      /^transformer {2}is already in the checkpoint like this: [\d.]+ MB\nt5 {2}is already in the checkpoint like this: [\d.]+ MB\n$/,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ["auto", "--weights must be fp16, bf16, int8 or int4, not auto."],
    ["int2", '--weights must be auto, fp32, fp16, bf16, int8 or int4, not "int2".'],
  ])("refuses --weights %s", async (weights, sentence) => {
    const { code, stderr } = await retouch(["quantize", "--weights", weights]);
    expect([code, stderr]).toEqual([2, `retouch: ${sentence}\n`]);
  });

  it("says in one sentence that the cache cannot be written", async () => {
    const env = { RETOUCH_CACHE_DIR: "/dev/null/retouch" };
    const args = ["quantize", "--weights", "int8", "--checkpoint", CHECKPOINT];
    const { code, stderr } = await retouch(args, { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^retouch: .*\/dev\/null\/retouch.*\n$/);
    expect(stderr).not.toContain("Unexpected");
  });
});
