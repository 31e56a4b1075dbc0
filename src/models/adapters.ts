/**
 * Low-rank adapters (LoRA, arXiv 2106.09685) for every linear layer of a graph, with what DoRA (arXiv 2402.09353) adds:
 * y = m * layer(x * c) + (x A^T + e) B^T, where m scales the rows of the layer's weight, c its columns, and a row of e
 * times B is a shift. All are inputs whose sizes are known only when the graph runs, so they can change from run to run
 * over the same weights; a layer without an adapter gets rank 0 and ones, which change nothing. Norms take a weight in
 * place of their own.
 */
import { input, type Value } from "../onnx/graph.ts";
import { add, cast, gemm, mul, scaledLast, shiftedLast, typeOf } from "../onnx/ops.ts";
import type { LayerAdapter } from "../weights/weight-set.ts";

/** What is added to one layer. */
export interface Adapter {
  rank: number;
  /** A, [rank, columns]. */
  down: Float32Array;
  /** B with every factor included, [rows, rank]. */
  up: Float32Array;
  /** e, [rank]. @default zeros */
  constant?: Float32Array | undefined;
  /** m, [rows]. @default ones */
  rowScale?: Float32Array | undefined;
  /** c, [columns]. @default ones */
  columnScale?: Float32Array | undefined;
  /** Of a norm, which has nothing else: a weight in place of its own, [C]. */
  weight?: Float32Array | undefined;
}

/** What is changed, by the layers' keys. */
export type Adapters = ReadonlyMap<string, Adapter>;

/** Shape of a layer's weight. */
export interface LayerSize {
  rows: number;
  columns: number;
}

type Inputs = Record<string, { data: Float32Array; shape: readonly number[] }>;

/** The layers of one graph that take adapters, collected as the graph is built. */
export class AdapterInputs implements LayerAdapter {
  readonly layers = new Map<string, LayerSize>();
  readonly norms = new Set<string>();
  readonly #nameOf: (key: string) => string;

  /** @param nameOf what adapters call the layer with this key of the weights */
  constructor(nameOf = (key: string): string => key) {
    this.#nameOf = nameOf;
  }

  input(key: string, x: Value): Value {
    const name = this.#nameOf(key);
    const columns = input(`${name}.lora_columns`, "float32", [`${name}.columns`]);
    return scaledLast(x, cast(columns, typeOf(x)));
  }

  output(key: string, x: Value, y: Value): Value {
    const name = this.#nameOf(key);
    const [rows, columns] = [y.shape[1] as number, x.shape[1] as number];
    this.layers.set(name, { rows, columns });
    const rank = `${name}.rank`;
    const typed = (suffix: string, shape: readonly (number | string)[]): Value =>
      cast(input(`${name}.${suffix}`, "float32", shape), typeOf(x));
    const low = add(gemm(x, typed("lora_A", [rank, columns])), typed("lora_constant", [1, rank]));
    const scaled = scaledLast(y, typed("lora_rows", [`${name}.rows`]));
    return gemm(low, typed("lora_B", [rows, rank]), scaled);
  }

  norm(key: string, weight: Value): Value {
    const name = this.#nameOf(key);
    this.norms.add(name);
    const kept = mul(weight, input(`${name}.lora_kept`, "float32", [1]));
    // Its size is 1 where the norm keeps its weight.
    const given = input(`${name}.lora_given`, "float32", [`${name}.given`]);
    return shiftedLast(kept, given);
  }

  /** The inputs of a run in addition to the graph's own. */
  inputsOf(adapters: Adapters): Inputs {
    const inputs: Inputs = {};
    const put = (name: string, data: Float32Array, shape: readonly number[] = [data.length]): void => {
      inputs[name] = { data, shape };
    };
    for (const [name, { rows, columns }] of this.layers) {
      const { rank, down, up, constant, rowScale, columnScale } = adapters.get(name) ?? UNCHANGED;
      put(`${name}.lora_A`, down, [rank, columns]);
      put(`${name}.lora_B`, up, [rows, rank]);
      put(`${name}.lora_constant`, constant ?? new Float32Array(rank), [1, rank]);
      put(`${name}.lora_rows`, rowScale ?? ONE);
      put(`${name}.lora_columns`, columnScale ?? ONE);
    }
    for (const name of this.norms) {
      const weight = adapters.get(name)?.weight;
      put(`${name}.lora_kept`, weight ? ZERO : ONE);
      put(`${name}.lora_given`, weight ?? ZERO);
    }
    return inputs;
  }
}

const ONE = Float32Array.of(1);
const ZERO = Float32Array.of(0);
/** Adds nothing. */
export const UNCHANGED: Adapter = { rank: 0, down: new Float32Array(), up: new Float32Array() };
