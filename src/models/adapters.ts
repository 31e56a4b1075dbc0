/**
 * Low-rank adapters (LoRA, arXiv 2106.09685): y = layer(x) + (x A^T) B^T for every linear layer of a graph. A and B are
 * inputs whose rank is known only when the graph runs, so they can change from run to run over the same weights; a
 * layer without an adapter gets rank 0, which adds nothing.
 */
import { input, type Value } from "../onnx/graph.ts";
import { cast, gemm, typeOf } from "../onnx/ops.ts";
import type { AdaptLayer } from "../weights/weight-set.ts";

/** What is added to one layer. */
export interface Adapter {
  rank: number;
  /** A, [rank, columns]. */
  down: Float32Array;
  /** B with every factor included, [rows, rank]. */
  up: Float32Array;
}

/** What is added to layers, by their keys. */
export type Adapters = ReadonlyMap<string, Adapter>;

/** Shape of a layer's weight. */
export interface LayerSize {
  rows: number;
  columns: number;
}

/** The layers of one graph that take adapters, collected as the graph is built. */
export class AdapterInputs {
  readonly layers = new Map<string, LayerSize>();

  /** Passed to the weights that the graph is built with. */
  readonly adapt: AdaptLayer = (key: string, x: Value, y: Value): Value => {
    const [rows, columns] = [y.shape[1] as number, x.shape[1] as number];
    this.layers.set(key, { rows, columns });
    const rank = `${key}.rank`;
    const down = input(`${key}.lora_A`, "float32", [rank, columns]);
    const up = input(`${key}.lora_B`, "float32", [rows, rank]);
    const type = typeOf(x);
    return gemm(gemm(x, cast(down, type)), cast(up, type), y);
  };

  /** The inputs of a run in addition to the graph's own. */
  inputsOf(adapters: Adapters): Record<string, { data: Float32Array; shape: readonly number[] }> {
    return Object.fromEntries(
      [...this.layers].flatMap(([key, { rows, columns }]) => {
        const { rank, down, up } = adapters.get(key) ?? NONE;
        return [
          [`${key}.lora_A`, { data: down, shape: [rank, columns] }],
          [`${key}.lora_B`, { data: up, shape: [rows, rank] }],
        ];
      }),
    );
  }
}

const NONE: Adapter = { rank: 0, down: new Float32Array(), up: new Float32Array() };
