/** Reads a model back, as far as the tests look into it, and runs one. */
import { tmpdir } from "node:os";
import { expect } from "vitest";
import { buildModel, type Value } from "../../src/onnx/graph.ts";
import { Session, type Tensor } from "../../src/runtime/session.ts";

type Fields = Map<number, (number | Buffer)[]>;

export interface ReadNode {
  name: string;
  opType: string;
  domain: string;
  inputs: string[];
  outputs: string[];
}

export interface ReadModel {
  name: string;
  /** Version of each operator domain. */
  opsets: Record<string, number>;
  nodes: ReadNode[];
  initializers: string[];
  /** Dimensions by name. */
  inputs: Record<string, (number | string)[]>;
  outputs: Record<string, (number | string)[]>;
}

/** The graph in the bytes of an ONNX file; the numbers are the field numbers of onnx.proto. */
export function readModel(model: Uint8Array): ReadModel {
  const fields = fieldsOf(Buffer.from(model));
  const graph = fieldsOf(bytesOf(fields, 7));
  return {
    name: textOf(graph, 2),
    opsets: Object.fromEntries(
      messagesOf(fields, 8).map((opset) => [textOf(opset, 1), numbersOf(opset, 2)[0]!]),
    ),
    nodes: messagesOf(graph, 1).map((node) => ({
      name: textOf(node, 3),
      opType: textOf(node, 4),
      domain: textOf(node, 7),
      inputs: textsOf(node, 1),
      outputs: textsOf(node, 2),
    })),
    initializers: messagesOf(graph, 5).map((tensor) => textOf(tensor, 8)),
    inputs: valueInfos(graph, 11),
    outputs: valueInfos(graph, 12),
  };
}

function valueInfos(graph: Fields, field: number): Record<string, (number | string)[]> {
  return Object.fromEntries(
    messagesOf(graph, field).map((info) => {
      const tensorType = fieldsOf(bytesOf(fieldsOf(bytesOf(info, 2)), 1));
      const dims = messagesOf(fieldsOf(bytesOf(tensorType, 2)), 1);
      return [textOf(info, 1), dims.map((dim) => numbersOf(dim, 1)[0] ?? textOf(dim, 2))];
    }),
  );
}

function fieldsOf(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let offset = 0;
  const varint = (): number => {
    for (let [value, factor] = [0, 1]; ; factor *= 128) {
      const byte = bytes.readUInt8(offset);
      offset += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (offset < bytes.length) {
    const tag = varint();
    const [field, wire] = [tag >> 3, tag & 7];
    let value: number | Buffer;
    if (wire === 0) {
      value = varint();
    } else {
      const length = wire === 2 ? varint() : 4;
      value = bytes.subarray(offset, offset + length);
      offset += length;
    }
    const known = fields.get(field);
    if (known) known.push(value);
    else fields.set(field, [value]);
  }
  return fields;
}

const allOf = (fields: Fields, field: number): (number | Buffer)[] => fields.get(field) ?? [];
const numbersOf = (fields: Fields, field: number): number[] => allOf(fields, field) as number[];
const bytesOf = (fields: Fields, field: number): Buffer =>
  (allOf(fields, field)[0] ?? Buffer.alloc(0)) as Buffer;
const messagesOf = (fields: Fields, field: number): Fields[] =>
  (allOf(fields, field) as Buffer[]).map((bytes) => fieldsOf(bytes));
const textsOf = (fields: Fields, field: number): string[] =>
  (allOf(fields, field) as Buffer[]).map((bytes) => bytes.toString("utf8"));
const textOf = (fields: Fields, field: number): string => textsOf(fields, field)[0] ?? "";

/** Numbers to feed to a graph. */
export const tensor = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor => ({
  data: Float32Array.from(values),
  shape,
});

/** Numbers without a pattern that a mistake could hide in: -1 to 1, others for another `phase`. */
export const wave = (count: number, phase = 0): number[] =>
  Array.from({ length: count }, (_, index) => Math.fround(Math.sin(index * 1.7 + phase)));

/**
 * Runs a graph of one output once.
 * @param weightsFolder what external data is relative to
 */
export const evaluate = async (
  output: Value,
  feeds: Readonly<Record<string, Tensor>> = {},
  weightsFolder = tmpdir(),
): Promise<Evaluated> => (await evaluateAll({ output }, feeds, weightsFolder))["output"]!;

export interface Evaluated {
  data: number[];
  shape: readonly number[];
}

/** Runs a graph once. @returns its outputs by name */
export async function evaluateAll(
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>> = {},
  weightsFolder = tmpdir(),
): Promise<Record<string, Evaluated>> {
  const model = buildModel("test", outputs);
  const session = await Session.load(model, { name: "test", weightsFolder, threads: 1 });
  try {
    const results = Object.entries(await session.run(feeds)).map(([name, { data, shape }]) => {
      // What was inferred as the graph was written must be what the runtime finds.
      const inferred = outputs[name]!.shape;
      expect(inferred.map((dim, index) => (typeof dim === "number" ? dim : shape[index]))).toEqual(shape);
      return [name, { data: Array.from(data as Float32Array), shape }] as const;
    });
    return Object.fromEntries(results);
  } finally {
    await session.dispose();
  }
}

/** `wave` as a tensor of this shape. */
export const waves = (shape: readonly number[], phase = 0): Tensor =>
  tensor(
    wave(
      shape.reduce((product, dim) => product * dim, 1),
      phase,
    ),
    shape,
  );
