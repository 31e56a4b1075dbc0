import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { buildModel, externalTensor, input, type Value } from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import { Session } from "../../src/runtime/session.ts";
import { root } from "../support/fixtures.ts";
import { tensor } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const load = (outputs: Record<string, Value>, weightsFolder = tmpdir()): Promise<Session> =>
  Session.load(buildModel("sum", outputs), { name: "sum", weightsFolder, threads: 1 });

describe("a session", () => {
  it("runs a network on numbers of both types and returns its outputs by name", async () => {
    const table = input("table", "float32", ["rows", 2]);
    const row = ops.gather(table, input("index", "int64", [1]));
    const session = await load({ row, double: ops.add(row, row) });
    const inputs = {
      table: tensor([1, 2, 3, 4], [2, 2]),
      index: { data: BigInt64Array.of(1n), shape: [1] },
    };
    expect(await session.run(inputs)).toEqual({
      row: { data: Float32Array.of(3, 4), shape: [1, 2] },
      double: { data: Float32Array.of(6, 8), shape: [1, 2] },
    });
    await session.dispose();
  });

  it("reads its weights from the folder that it is told", async () => {
    const folder = await temporaryFolder();
    const w = externalTensor("w", "float32", [1], { location: "w.bin", byteOffset: 4, byteLength: 4 });
    await writeFile(path.join(folder, "w.bin"), new Uint8Array(Float32Array.of(7, 40).buffer));
    const session = await load({ y: ops.add(input("x", "float32", [1]), w) }, folder);
    expect((await session.run({ x: tensor([2]) }))["y"]!.data).toEqual(Float32Array.of(42));
    await session.dispose();
  });

  it("does not load what is no model, and says why", async () => {
    const bytes = new TextEncoder().encode("no model");
    await expect(Session.load(bytes, { name: "sum", weightsFolder: tmpdir(), threads: 1 })).rejects.toEqual(
      refusal("RUNTIME_FAILED", /^The network sum does not load: .*protobuf/i),
    );
  });

  it("does not load without its weights, and names the file", async () => {
    const folder = await temporaryFolder();
    const w = externalTensor("w", "float32", [1], { location: "gone.bin", byteOffset: 0, byteLength: 4 });
    await expect(load({ y: ops.sin(w) }, folder)).rejects.toEqual(
      refusal("RUNTIME_FAILED", /^The network sum does not load: .*gone\.bin/),
    );
  });

  it("fails on an input that does not fit, names it and stays usable", async () => {
    const session = await load({ y: ops.sin(input("x", "float32", [2])) });
    await expect(session.run({ x: tensor([1, 2, 3]) })).rejects.toEqual(
      refusal("RUNTIME_FAILED", /^The network sum fails: .*\bx\b/),
    );
    await expect(session.run({})).rejects.toEqual(
      refusal("RUNTIME_FAILED", /^The network sum fails: .*'x' is missing/),
    );
    expect((await session.run({ x: tensor([0, 0]) }))["y"]!.data).toEqual(Float32Array.of(0, 0));
    await session.dispose();
  });

  it("fails on an index beyond its table, with the node's name in the reason", async () => {
    const table = input("table", "float32", [2, 1]);
    const session = await load({ y: ops.gather(table, input("index", "int64", [1])) });
    const index = { data: BigInt64Array.of(2n), shape: [1] };
    await expect(session.run({ table: tensor([1, 2], [2, 1]), index })).rejects.toEqual(
      refusal("RUNTIME_FAILED", /^The network sum fails: .*Gather/),
    );
    await session.dispose();
  });

  it("leaves it to its caller to report a failure: the runtime prints nothing", () => {
    const script = `
      import { buildModel, input } from "./dist/onnx/graph.js";
      import { gather } from "./dist/onnx/ops.js";
      import { Session } from "./dist/runtime/session.js";
      const y = gather(input("table", "float32", [2, 1]), input("index", "int64", [1]));
      const model = buildModel("sum", { y });
      const session = await Session.load(model, { name: "sum", weightsFolder: ".", threads: 1 });
      const table = { data: Float32Array.of(1, 2), shape: [2, 1] };
      const index = { data: BigInt64Array.of(2n), shape: [1] };
      await session.run({ table, index }).catch((error) => process.stdout.write(error.code));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: root,
      encoding: "utf8",
    });
    expect(stdout).toBe("RUNTIME_FAILED");
    expect(stderr).not.toContain("Gather");
  });

  it("cannot be used after it is disposed", async () => {
    const session = await load({ y: ops.sin(input("x", "float32", [1])) });
    await session.dispose();
    await expect(session.run({ x: tensor([1]) })).rejects.toEqual(
      refusal("RUNTIME_FAILED", /^The network sum fails: /),
    );
  });
});
