/** Reads the matrices of one module, and cuts them into the layers that the network has in its place. */
import { roundedFactor } from "./alphas.ts";
import type { BaseLayer, FindBase } from "./base-weights.ts";
import { baked } from "./baking.ts";
import type { Dialect } from "./dialect.ts";
import { addColumnSquares, rowFactors, rowLengths } from "./dora.ts";
import { type Dora, invalid, type LoraLayer, readTensor, type Source, unsupported } from "./lora-file.ts";
import type { Module } from "./modules.ts";
import type { Strengths } from "./strength.ts";
import { TEXT_ENCODER } from "./targets.ts";

export interface ReadContext {
  source: Source;
  dialect: Dialect;
  strengths: Strengths;
  findBase: FindBase;
}

type Layer = readonly [layer: string, adapter: LoraLayer];

const MAX_RANK = 1024;

/**
 * Parts of a fused layer share A and have their own rows of B.
 * @returns undefined for a module that its configuration leaves out
 * @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED
 */
export async function readModule(context: ReadContext, module: Module): Promise<Layer[] | undefined> {
  const { source, strengths } = context;
  const { name, target, keys } = module;
  const { file, tensors } = source;
  if (strengths.ruleOf(module, target.parts[0]!.layer)?.isTargeted === false) return undefined;
  if (keys.down === undefined || keys.up === undefined) {
    throw invalid(file, `has only one of the two matrices of ${name}`);
  }
  const rank = tensors.get(keys.down)!.shape[0] ?? 0;
  if (rank < 1 || rank > MAX_RANK) {
    throw invalid(file, `has ${keys.down} of the rank ${rank}; from 1 to ${MAX_RANK} can be used`);
  }
  const rows = target.parts.reduce((sum, part) => sum + part.rows, 0);
  const swap = (values: Float32Array, size = rows): Float32Array =>
    target.isSwapped ? swapped(values, size) : values;
  let down = await readDown(source, keys.down, rank, module);
  if (target.isSwapped && context.dialect.isDownSwapped && rank > 1) down = swapped(down, rank);
  let up = swap(await readTensor(source, keys.up, [rows, rank]));
  const bias = keys.bias === undefined ? undefined : swap(await readTensor(source, keys.bias, [rows]));

  const isBaked = context.dialect.baking !== "none" && keys.alpha !== undefined;
  if (isBaked) {
    const alpha = strengths.alphaOf(module, target.parts[0]!.layer)!.value;
    const isTensor = context.dialect.baking === "tensor" || target.parts.length > 1;
    const types = [keys.down, keys.up, keys.alpha!].map((key) => tensors.get(key)!);
    [down, up] = baked({ down, up }, alpha / rank, types, isTensor);
  }

  const layers: Layer[] = [];
  let start = 0;
  for (const { layer, rows: count } of target.parts) {
    const rule = strengths.ruleOf(module, layer);
    if (rule && rule.rank !== rank) {
      throw invalid(file, `has ${keys.down} of the rank ${rank} where its configuration says ${rule.rank}`);
    }
    const alpha = isBaked ? undefined : strengths.alphaOf(module, layer);
    layers.push([
      layer,
      {
        rank,
        down,
        up: up.subarray(start * rank, (start + count) * rank),
        factor: (alpha === undefined ? 1 : alpha.value / rank) * (rule?.factor ?? 1),
        factorOf: alpha?.isPattern ? (scale) => roundedFactor(alpha, rank, scale) : undefined,
        bias: bias?.subarray(start, start + count),
      },
    ]);
    start += count;
  }
  return isDora(context, module) ? withDora(context, module, layers) : layers;
}

/** A; columns that it lacks are zeros, as in diffusers. */
async function readDown(
  source: Source,
  key: string,
  rank: number,
  { target }: Module,
): Promise<Float32Array> {
  const { shape } = source.tensors.get(key)!;
  const { columns, parts } = target;
  const [, width = 0] = shape;
  const isNarrow = shape.length === 2 && width > 0 && width < columns;
  if (!isNarrow || parts[0]!.layer.startsWith(TEXT_ENCODER)) {
    return readTensor(source, key, [rank, columns]);
  }
  const narrow = await readTensor(source, key, [rank, width]);
  const down = new Float32Array(rank * columns);
  for (let row = 0; row < rank; row += 1) {
    down.set(narrow.subarray(row * width, (row + 1) * width), row * columns);
  }
  return down;
}

function isDora({ strengths, source }: ReadContext, { name, target, keys }: Module): boolean {
  const isConfigured = strengths.isDora(target.parts[0]!.layer);
  if (isConfigured === true && keys.magnitude === undefined) {
    throw invalid(source.file, `is a DoRA by its configuration and lacks the magnitudes of ${name}`);
  }
  // Without use_dora, peft has no place for magnitudes.
  return keys.doraScale !== undefined || (keys.magnitude !== undefined && isConfigured !== false);
}

async function withDora(context: ReadContext, module: Module, layers: readonly Layer[]): Promise<Layer[]> {
  const { source, findBase } = context;
  const { keys, target, name } = module;
  const rows = target.parts.reduce((sum, part) => sum + part.rows, 0);
  const { columns } = target;
  if (keys.bias !== undefined) {
    throw unsupported(source.file, `has a bias beside the magnitudes of ${name}, which peft refuses, too`);
  }
  const bases = layers.map(([layer]) => {
    const base = findBase(layer);
    if (base) return base;
    throw unsupported(
      source.file,
      `is a DoRA, for which the network's own weights of ${layer} cannot be read`,
    );
  });
  const { shape } = source.tensors.get((keys.magnitude ?? keys.doraScale)!)!;
  const isByColumn = keys.doraScale !== undefined && shape.length === 2 && shape[0] === 1 && columns !== 1;
  const lengths = isByColumn
    ? await readTensor(source, keys.doraScale!, [1, columns])
    : await readTensor(source, (keys.magnitude ?? keys.doraScale)!, [rows], [rows, 1], [1, rows]);
  const ordered = target.isSwapped && !isByColumn ? swapped(lengths, rows) : lengths;

  if (isByColumn) return scaledByColumns(layers, bases, columns, lengths);
  const result: Layer[] = [];
  let start = 0;
  for (const [index, [layer, adapter]] of layers.entries()) {
    const count = adapter.up.length / adapter.rank;
    const found = await rowLengths(bases[index]!, { ...adapter, columns });
    const bias = await bases[index]!.bias();
    const magnitudes = ordered.subarray(start, start + count);
    const dora: Dora =
      keys.magnitude !== undefined
        ? { kind: "rows", magnitudes, lengths: found, bias }
        : { kind: "rows-scaled-last", factors: rowFactors(magnitudes, found, adapter.factor), bias };
    result.push([layer, { ...adapter, dora }]);
    start += count;
  }
  return result;
}

/** A column's length is that of all the layers that the module has as one. */
async function scaledByColumns(
  layers: readonly Layer[],
  bases: readonly BaseLayer[],
  columns: number,
  lengths: Float32Array,
): Promise<Layer[]> {
  const sums = new Float64Array(columns);
  for (const [index, [, adapter]] of layers.entries()) {
    await addColumnSquares(sums, bases[index]!, { ...adapter, columns }, adapter.factor);
  }
  const factors = Float64Array.from(sums, (sum, column) => lengths[column]! / Math.sqrt(sum));
  return Promise.all(
    layers.map(async ([layer, adapter], index): Promise<Layer> => {
      const bias = await bases[index]!.bias();
      return [layer, { ...adapter, dora: { kind: "columns", factors, bias } }];
    }),
  );
}

/** The two halves of a matrix's rows in the other order; of an odd number, the first has one more. */
function swapped(matrix: Float32Array, rows: number): Float32Array {
  const half = Math.ceil(rows / 2) * (matrix.length / rows);
  const result = new Float32Array(matrix.length);
  result.set(matrix.subarray(half));
  result.set(matrix.subarray(0, half), matrix.length - half);
  return result;
}
