/**
 * Peak memory of one attention layer, each token count in a fresh process. Prints a JSON line for each:
 * {"tokens", "extraBytes", "scoreBytes"}: how far the layer raised the process's high-water mark, and what all its
 * scores at once, heads x tokens x tokens, would take.
 * Usage: node scripts/run-ts.mjs bench/attention-memory.ts TOKENS...
 */
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { buildModel, input } from "../src/onnx/graph.ts";
import * as ops from "../src/onnx/ops.ts";
import { Session } from "../src/runtime/session.ts";
import { statusBytes } from "./memory.ts";

const HEADS = 4;
const HEAD_SIZE = 64;
/** Marks the process that measures; without it the program starts one for each count. */
const MEASURE = "--measure";

async function measure(tokens: number): Promise<void> {
  const width = HEADS * HEAD_SIZE;
  const [query, key, value] = ["query", "key", "value"].map((name) =>
    input(name, "float32", [1, "tokens", width]),
  );
  const attended = ops.attention(query!, key!, value!, { numHeads: HEADS });
  const model = buildModel("attention", { attended });
  const session = await Session.load(model, { name: "attention", weightsFolder: tmpdir(), threads: 1 });
  const numbers = Float32Array.from({ length: tokens * width }, (_, index) => Math.sin(index));
  const tensor = { data: numbers, shape: [1, tokens, width] };
  const before = statusBytes("self", "VmRSS")!;
  await session.run({ query: tensor, key: tensor, value: tensor });
  const extraBytes = statusBytes("self", "VmHWM")! - before;
  console.log(JSON.stringify({ tokens, extraBytes, scoreBytes: HEADS * tokens * tokens * 4 }));
}

const args = process.argv.slice(2);
if (args[0] === MEASURE) await measure(Number(args[1]));
else {
  for (const tokens of args) {
    execFileSync(process.execPath, [process.argv[1]!, MEASURE, tokens], { stdio: "inherit" });
  }
}
