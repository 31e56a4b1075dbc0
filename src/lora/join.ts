/**
 * Combines several LoRAs in the order of an edit, as peft does layer by layer: their ranks add up, every factor goes
 * into B, and a DoRA multiplies what came before it.
 */
import { type Adapter, type Adapters, UNCHANGED } from "../models/adapters.ts";
import { rowFactors } from "./dora.ts";
import { type Lora, type LoraLayer, unsupported } from "./lora-file.ts";

export interface ScaledLora {
  file: string;
  lora: Lora;
  scale: number;
}

export function joinLoras(loras: readonly ScaledLora[]): Adapters {
  const layers = new Set(loras.flatMap(({ lora }) => [...lora.layers.keys()]));
  const joined = new Map<string, Adapter>();
  for (const layer of layers) {
    const parts = loras.flatMap(({ file, lora, scale }) => {
      const part = lora.layers.get(layer);
      return part ? [{ file, part, scale }] : [];
    });
    joined.set(layer, joinLayer(parts));
  }
  // Norms have no strength: the last file's weight is taken as it is.
  for (const { lora } of loras)
    for (const [name, weight] of lora.norms) joined.set(name, { ...UNCHANGED, weight });
  return joined;
}

const factorOf = ({ factor, factorOf: own }: LoraLayer, scale: number): number =>
  own?.(scale) ?? factor * scale;

interface Part {
  file: string;
  part: LoraLayer;
  scale: number;
}

/** Concatenates A's rows and, in each row of B, its columns. */
function joinLayer(parts: readonly Part[]): Adapter {
  const [{ part: first }, ...others] = parts as [Part, ...Part[]];
  const rows = first.up.length / first.rank;
  const sum = new Sum(rows, first.down.length / first.rank);
  for (const { file, part, scale } of parts) {
    if (part.dora === undefined) sum.addPlain(part, scale);
    else if (part.dora.kind === "rows-scaled-last") sum.addRows(part, part.dora.factors, scale);
    else if (part.dora.kind === "columns") {
      if (sum.hasRows) {
        throw unsupported(
          file,
          "scales columns of layers whose rows another DoRA scales; use one of the two",
        );
      }
      sum.addColumns(part, part.dora.factors, scale);
    } else {
      sum.multiply(rowFactors(part.dora.magnitudes, part.dora.lengths, factorOf(part, scale)));
      sum.addPlain(part, scale, sum.lastFactors);
    }
  }
  const isPlain = others.length === 0 && first.dora === undefined && first.bias === undefined;
  const bias = parts.find(({ part }) => part.dora)?.part.dora?.bias;
  return isPlain ? { ...sum.matrices(), down: first.down } : sum.adapter(bias);
}

/** What is added to W x: factors of W's rows and columns, products of matrices, and a shift. */
class Sum {
  readonly #rows: number;
  readonly #columns: number;
  readonly #products: { rank: number; down: Float32Array; up: Float32Array }[] = [];
  #rowScale: Float64Array | undefined;
  #columnScale: Float64Array | undefined;
  #shift: Float64Array | undefined;
  /** The factors of the latest `multiply`. */
  lastFactors: Float64Array | undefined;

  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
  }

  get hasRows(): boolean {
    return this.#rowScale !== undefined;
  }

  addPlain(layer: LoraLayer, scale: number, rowFactors?: Float64Array): void {
    const { rank, down, up, bias } = layer;
    const factor = factorOf(layer, scale);
    const scaled = new Float32Array(up.length);
    for (let row = 0; row < this.#rows; row += 1) {
      const whole = factor * (rowFactors?.[row] ?? 1);
      for (let at = row * rank; at < (row + 1) * rank; at += 1) scaled[at] = whole * up[at]!;
    }
    this.#products.push({ rank, down, up: scaled });
    if (bias === undefined) return;
    this.#shift ??= new Float64Array(this.#rows);
    for (let row = 0; row < this.#rows; row += 1) this.#shift[row]! += factor * bias[row]!;
  }

  /** Multiplies the rows of everything so far. */
  multiply(factors: Float64Array): void {
    this.lastFactors = factors;
    this.#rowScale ??= new Float64Array(this.#rows).fill(1);
    for (let row = 0; row < this.#rows; row += 1) {
      this.#rowScale[row]! *= factors[row]!;
      if (this.#shift) this.#shift[row]! *= factors[row]!;
      for (const { rank, up } of this.#products) {
        for (let at = row * rank; at < (row + 1) * rank; at += 1) up[at]! *= factors[row]!;
      }
    }
  }

  /** Adds `scale` times the difference that factors of the rows of W + B A make. */
  addRows(part: LoraLayer, factors: Float64Array, scale: number): void {
    this.#rowScale ??= new Float64Array(this.#rows).fill(1);
    for (let row = 0; row < this.#rows; row += 1) this.#rowScale[row]! += scale * (factors[row]! - 1);
    this.addPlain(part, scale, factors);
  }

  addColumns(part: LoraLayer, factors: Float64Array, scale: number): void {
    this.#columnScale ??= new Float64Array(this.#columns).fill(1);
    for (let column = 0; column < this.#columns; column += 1) {
      this.#columnScale[column]! += scale * (factors[column]! - 1);
    }
    const down = part.down.map((value, index) => value * factors[index % this.#columns]!);
    this.addPlain({ ...part, down }, scale);
  }

  matrices(): Pick<Adapter, "rank" | "down" | "up"> {
    const rank = this.#products.reduce((sum, product) => sum + product.rank, 0);
    const up = new Float32Array(this.#rows * rank);
    const down = new Float32Array(rank * this.#columns);
    let column = 0;
    for (const product of this.#products) {
      down.set(product.down, column * this.#columns);
      for (let row = 0; row < this.#rows; row += 1) {
        const from = product.up.subarray(row * product.rank, (row + 1) * product.rank);
        up.set(from, row * rank + column);
      }
      column += product.rank;
    }
    return { rank, down, up };
  }

  /** @param bias of the layer itself, which factors of rows leave alone */
  adapter(bias: Float32Array | undefined): Adapter {
    if (this.#rowScale && bias) {
      this.#shift ??= new Float64Array(this.#rows);
      for (let row = 0; row < this.#rows; row += 1) {
        this.#shift[row]! += (1 - this.#rowScale[row]!) * bias[row]!;
      }
    }
    if (this.#shift) {
      // A rank whose A is zero and whose constant is one.
      const up = Float32Array.from(this.#shift);
      this.#products.push({ rank: 1, down: new Float32Array(this.#columns), up });
    }
    const matrices = this.matrices();
    const constant = new Float32Array(matrices.rank);
    if (this.#shift) constant[matrices.rank - 1] = 1;
    return {
      ...matrices,
      constant,
      rowScale: this.#rowScale && Float32Array.from(this.#rowScale),
      columnScale: this.#columnScale && Float32Array.from(this.#columnScale),
    };
  }
}
