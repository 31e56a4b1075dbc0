/**
 * One evaluation of T5 in a process of its own. Argument: a `TextOrder` as JSON; prints a `TextAnswer` as one JSON line.
 */
import type { T5Sizes } from "../../src/models/text-encoders/t5-config.ts";
import { t5Encoder } from "../../src/models/text-encoders/t5.ts";
import * as ops from "../../src/onnx/ops.ts";
import { loadSession } from "../../src/runtime/load.ts";
import type { RuntimeOptions } from "../../src/runtime/session.ts";
import { readConverted } from "../../src/weights/converted.ts";
import { spreadOf, type Spread } from "./agreement.ts";
import { type ProcessMemory, processMemory } from "./process-memory.ts";

export interface TextOrder extends RuntimeOptions {
  /** A converted file. */
  weights: string;
  sizes: T5Sizes;
  /** Tokens. */
  length: number;
}

/** Memory as of the end of the run. */
export interface TextAnswer extends ProcessMemory {
  loadSeconds: number;
  seconds: number;
  promptEmbeds: Spread;
}

/** The values of T5 v1.1. */
const EPSILON = 1e-6;
const ACTIVATION = (x: Parameters<typeof ops.gelu>[0]): ReturnType<typeof ops.gelu> =>
  ops.gelu(x, { approximate: true });

const { weights: file, sizes, length, threads, device } = JSON.parse(process.argv[2]!) as TextOrder;
const { weights } = await readConverted("T5", file);
const config = { ...sizes, epsilon: EPSILON, activation: ACTIVATION };
let started = performance.now();
const session = await loadSession(t5Encoder(config, weights.scope(), { length }), weights, {
  threads,
  device,
});
const loadSeconds = (performance.now() - started) / 1000;
const tokenIds = BigInt64Array.from({ length }, (_, index) => BigInt(index % sizes.vocabularySize));
started = performance.now();
const { promptEmbeds } = await session.run({ tokenIds: { data: tokenIds, shape: [length] } });
const seconds = (performance.now() - started) / 1000;
const spread = spreadOf(promptEmbeds!.data as Float32Array);
const answer: TextAnswer = { loadSeconds, seconds, promptEmbeds: spread, ...processMemory() };
process.stdout.write(`${JSON.stringify(answer)}\n`);
