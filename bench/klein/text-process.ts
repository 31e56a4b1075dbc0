/**
 * One evaluation of Qwen3's first layers in a process of its own. Argument: a `TextOrder` as JSON; prints a `TextAnswer`
 * as one JSON line.
 */
import { writeFileSync } from "node:fs";
import { readQwen3Config } from "../../src/models/text-encoders/qwen3-config.ts";
import { qwen3Encoder, qwen3Inputs } from "../../src/models/text-encoders/qwen3.ts";
import { loadSession } from "../../src/runtime/load.ts";
import type { RuntimeOptions } from "../../src/runtime/session.ts";
import { Config } from "../../src/weights/config.ts";
import { type ProcessMemory, processMemory } from "../full-size/process-memory.ts";
import { secondsSince, timedRun, weightsOf } from "../full-size/timed-run.ts";

export interface TextOrder extends RuntimeOptions {
  weights: string;
  isConverted: boolean;
  /** `text_encoder/config.json` */
  fields: Readonly<Record<string, unknown>>;
  /** Tokens. */
  length: number;
  /** The layer whose output is written, [length, C]. */
  layer: number;
  output: string;
}

/** Memory as of the end of the run. */
export interface TextAnswer extends ProcessMemory {
  loadSeconds: number;
  seconds: number[];
}

const order = JSON.parse(process.argv[2]!) as TextOrder;
const { length, layer, threads } = order;
const config = readQwen3Config(new Config("text_encoder/config.json", order.fields));
const weights = await weightsOf("text encoder", order.weights, order.isConverted);
const started = performance.now();
const graph = qwen3Encoder(config, weights.scope(), { length, layers: [layer] });
const session = await loadSession(graph, weights, { threads });
const loadSeconds = secondsSince(started);
const ids = Array.from({ length }, (_, index) => index % config.vocabularySize);
const [states, seconds] = await timedRun(session, qwen3Inputs(config, ids, length), "promptEmbeds");
writeFileSync(order.output, states);
const answer: TextAnswer = { loadSeconds, seconds: [seconds], ...processMemory() };
process.stdout.write(`${JSON.stringify(answer)}\n`);
