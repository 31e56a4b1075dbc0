/**
 * A graph as values: an operator takes values and returns a value, and the model is whatever can be reached by walking
 * back from the outputs, so a dead node cannot exist. Names appear in two places only: the model's inputs and outputs,
 * and its weights, whose names are the checkpoint's keys. A node is named after the weight that it uses, or after the
 * node that feeds it, so an error from the runtime points into the checkpoint.
 */
import { byteSizeOf, type DType } from "./dtype.ts";
import * as proto from "./proto.ts";
import { encoded } from "./proto-writer.ts";

export type { Attribute, Dim } from "./proto.ts";
export type Shape = readonly proto.Dim[];

/** A tensor of the graph. Identity matters: the same object is the same tensor. */
export interface Value {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly origin: Origin;
}

type Origin =
  | { kind: "input"; name: string }
  | { kind: "initializer"; name: string; data: proto.TensorData }
  | { kind: "node"; node: Node; outputIndex: number };

interface Node {
  opType: string;
  domain: Domain;
  inputs: readonly (Value | undefined)[];
  attributes: Readonly<Record<string, proto.Attribute>>;
  /** Type and shape of each output. */
  outputs: readonly TensorType[];
  /** Whether the CPU computes it on every device. */
  isOnHost?: boolean;
}

interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** The opset version with `RotaryEmbedding`, `RMSNormalization` and `Attention`; the runtime's own operators. */
export const OPSETS = { "": 23, "com.microsoft": 1 } as const;
type Domain = keyof typeof OPSETS;

/** An input of the model; a dimension is a number, or the name of one that is known when the model runs. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return { dtype, shape, origin: { kind: "input", name } };
}

/** A weight that stays in its file. `location` is relative to the folder that the runtime is given. */
export function externalTensor(
  name: string,
  dtype: DType,
  shape: readonly number[],
  range: { location: string; byteOffset: number; byteLength: number },
): Value {
  return { dtype, shape, origin: { kind: "initializer", name, data: { kind: "external", ...range } } };
}

/** A constant stored in the model itself. */
export function constant(values: Float32Array | BigInt64Array | Uint8Array, shape: readonly number[]): Value {
  const dtype = values instanceof Float32Array ? "float32" : values instanceof Uint8Array ? "uint8" : "int64";
  return constantOf(dtype, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), shape);
}

/** A constant from its bytes. */
export function constantOf(dtype: DType, bytes: Uint8Array, shape: readonly number[]): Value {
  const expected = shape.reduce((product, dim) => product * dim, 1) * byteSizeOf(dtype);
  if (bytes.byteLength !== expected) {
    throw new Error(
      `A constant of shape ${showShape(shape)} needs ${expected} bytes, not ${bytes.byteLength}.`,
    );
  }
  return { dtype, shape, origin: { kind: "initializer", name: "", data: { kind: "inline", bytes } } };
}

export const floats = (values: readonly number[], shape: readonly number[] = [values.length]): Value =>
  constant(Float32Array.from(values), shape);
export const scalar = (value: number): Value => floats([value], []);
export const ints = (values: readonly number[]): Value =>
  constant(
    BigInt64Array.from(values, (value) => BigInt(value)),
    [values.length],
  );

/** Makes a node and returns its outputs. Only `ops.ts` calls this: it is where shapes are checked. */
export function makeNode(
  opType: string,
  inputs: readonly (Value | undefined)[],
  outputs: readonly TensorType[],
  options: { attributes?: Record<string, proto.Attribute>; domain?: Domain } = {},
): Value[] {
  const { attributes = {}, domain = "" } = options;
  return outputsOf({ opType, domain, inputs, attributes, outputs });
}

const outputsOf = (node: Node): Value[] =>
  node.outputs.map(({ dtype, shape }, outputIndex) => ({
    dtype,
    shape,
    origin: { kind: "node", node, outputIndex },
  }));

/** The model with these `outputs` as the bytes of an ONNX file. */
export const buildModel = (name: string, outputs: Readonly<Record<string, Value>>): Uint8Array =>
  serialise(name, outputs).model;

export interface PlacedModel {
  /** The bytes of an ONNX file. */
  model: Uint8Array;
  /** Names of the nodes that the CPU computes on every device. */
  hostNodes: readonly string[];
  /** The other nodes by their names, each after its inputs; not those that depend on weights alone. */
  deviceNodes: readonly NamedOperator[];
}

export interface NamedOperator {
  name: string;
  operator: Operator;
}

/** Serialises the model with these `outputs`. @param placed what is written of a weight's data */
export function serialise(
  name: string,
  outputs: Readonly<Record<string, Value>>,
  placed: (data: proto.TensorData) => proto.TensorData = (data) => data,
): PlacedModel {
  const { ofWeights, others } = weightsFirst(nodesInOrder(Object.values(outputs)));
  const order = [...ofWeights, ...others];
  const names = new NameTable();
  for (const [outputName, value] of Object.entries(outputs)) names.setOutput(value, outputName);

  const inputs = new Map<string, Value>();
  const initializers = new Map<string, proto.TensorData & { value: Value }>();
  const named = new Map<string, Value>();
  const nodes = order.map((node) => {
    const nodeName = names.ofNode(node);
    const inputNames = node.inputs.map((value) => {
      if (value === undefined) return "";
      const valueName = names.ofValue(value);
      if (value.origin.kind !== "node" && (named.get(valueName) ?? value) !== value) {
        throw new Error(`Two tensors of the model ${name} are called ${valueName}.`);
      }
      named.set(valueName, value);
      if (value.origin.kind === "input") inputs.set(valueName, value);
      if (value.origin.kind === "initializer") {
        initializers.set(valueName, { ...placed(value.origin.data), value });
      }
      return valueName;
    });
    const outputNames = node.outputs.map((_, index) => names.ofOutput(node, index));
    return proto.nodeProto({ ...node, name: nodeName, inputs: inputNames, outputs: outputNames });
  });

  const graph = proto.graphProto({
    name,
    nodes,
    initializers: [...initializers].map(([key, { value, ...data }]) =>
      proto.tensorProto(key, value.dtype, value.shape as readonly number[], data),
    ),
    inputs: [...inputs].map(([key, value]) => proto.valueInfoProto(key, value.dtype, value.shape)),
    outputs: Object.entries(outputs).map(([key, value]) =>
      proto.valueInfoProto(key, value.dtype, value.shape),
    ),
  });
  return {
    model: encoded(proto.modelProto(graph, OPSETS)),
    hostNodes: order.filter(({ isOnHost }) => isOnHost).map((node) => names.ofNode(node)),
    deviceNodes: others
      .filter(({ isOnHost }) => !isOnHost)
      .map((operator) => ({ name: names.ofNode(operator), operator })),
  };
}

/** An operator of a graph with its inputs, for counting and rewriting. */
export type Operator = Readonly<Node>;

/** Every operator that the outputs need, each after those that feed it. */
export const operatorsOf = (outputs: Readonly<Record<string, Value>>): readonly Operator[] =>
  nodesInOrder(Object.values(outputs));

/** The inputs of the model with these outputs, each once. */
export function inputsOf(
  outputs: Readonly<Record<string, Value>>,
): { name: string; dtype: DType; shape: Shape }[] {
  const inputs = new Map<string, Value>();
  for (const operator of operatorsOf(outputs)) {
    for (const value of operator.inputs) {
      if (value?.origin.kind === "input") inputs.set(value.origin.name, value);
    }
  }
  return [...inputs].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
}

/** The input of this name. @throws Error if there is none */
export function inputNamed(outputs: Readonly<Record<string, Value>>, name: string): Value {
  for (const { inputs } of operatorsOf(outputs)) {
    const found = inputs.find((value) => value?.origin.kind === "input" && value.origin.name === name);
    if (found) return found;
  }
  throw new Error(`The graph has no input ${name}.`);
}

/**
 * The graph with other nodes in place of some, from the inputs on. A node's inputs are already rewritten when it is
 * asked for; a value that several nodes share stays shared, and a node that nothing changes stays the same object.
 * @param replace gives what stands for a node's outputs, or undefined to keep it
 */
export function rewrite(
  outputs: Readonly<Record<string, Value>>,
  replace: (operator: Operator) => readonly Value[] | undefined,
): Record<string, Value> {
  const known = new Map<Node, readonly Value[]>();
  const rewritten = (value: Value): Value => {
    const { origin } = value;
    return origin.kind === "node" ? (known.get(origin.node)?.[origin.outputIndex] ?? value) : value;
  };
  for (const node of nodesInOrder(Object.values(outputs))) {
    const inputs = node.inputs.map((value) => value && rewritten(value));
    const isSame = inputs.every((value, index) => value === node.inputs[index]);
    const current = isSame ? node : { ...node, inputs };
    const replaced = replace(current) ?? (isSame ? undefined : outputsOf(current));
    if (replaced) known.set(node, replaced);
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, rewritten(value)]));
}

/** What the operator gives with other inputs, attributes or types, in the same shapes unless `changes` says otherwise. */
export const remade = (operator: Operator, changes: Partial<Operator>): Value[] =>
  outputsOf({ ...operator, ...changes });

export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** Every node that the outputs need, each after its inputs. Iterative: a deep network would overflow the stack. */
function nodesInOrder(outputs: readonly Value[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack = outputs.flatMap((value) =>
    value.origin.kind === "node" ? [{ node: value.origin.node, next: 0 }] : [],
  );
  stack.reverse();
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    if (top.next === 0 && seen.has(top.node)) {
      stack.pop();
      continue;
    }
    seen.add(top.node);
    const value = top.node.inputs[top.next];
    if (top.next < top.node.inputs.length) {
      top.next += 1;
      if (value?.origin.kind === "node" && !seen.has(value.origin.node)) {
        stack.push({ node: value.origin.node, next: 0 });
      }
      continue;
    }
    order.push(top.node);
    stack.pop();
  }
  return order;
}

/**
 * Puts everything that depends on weights alone first. The runtime reorders nodes: it walks back from the outputs, and
 * from each node it takes the input that comes later here first. So a weight that is not widened when the model is
 * loaded is widened right before it is used, and freed afterwards. In order of use, all of them would be widened first.
 */
function weightsFirst(order: readonly Node[]): { ofWeights: Iterable<Node>; others: readonly Node[] } {
  const ofWeights = new Set<Node>();
  for (const node of order) {
    const isOfWeights = node.inputs.every(
      (value) =>
        value === undefined ||
        value.origin.kind === "initializer" ||
        (value.origin.kind === "node" && ofWeights.has(value.origin.node)),
    );
    if (isOfWeights) ofWeights.add(node);
  }
  return { ofWeights, others: order.filter((node) => !ofWeights.has(node)) };
}

/** Gives every node, value and constant of one model a unique name. */
class NameTable {
  readonly #nodes = new Map<Node, { name: string; scope: string }>();
  readonly #constants = new Map<Value, string>();
  readonly #outputs = new Map<Node, Map<number, string>>();
  readonly #counts = new Map<string, number>();

  setOutput(value: Value, name: string): void {
    if (value.origin.kind !== "node") throw new Error(`The output ${name} is not computed by a node.`);
    const { node, outputIndex } = value.origin;
    const known = this.#outputs.get(node) ?? new Map<number, string>();
    if (known.has(outputIndex)) {
      throw new Error(`The outputs ${known.get(outputIndex)} and ${name} are the same tensor.`);
    }
    this.#outputs.set(node, known.set(outputIndex, name));
  }

  ofNode(node: Node): string {
    const known = this.#nodes.get(node);
    if (known) return known.name;
    const scope = this.#scopeOf(node);
    const name = this.#unique(scope === "" ? node.opType : `${scope}/${node.opType}`);
    this.#nodes.set(node, { name, scope });
    return name;
  }

  ofOutput(node: Node, index: number): string {
    return (
      this.#outputs.get(node)?.get(index) ??
      (index === 0 ? this.ofNode(node) : `${this.ofNode(node)}:${index}`)
    );
  }

  ofValue(value: Value): string {
    const { origin } = value;
    if (origin.kind === "node") return this.ofOutput(origin.node, origin.outputIndex);
    if (origin.name !== "") return origin.name;
    const known = this.#constants.get(value) ?? this.#unique("constant");
    this.#constants.set(value, known);
    return known;
  }

  #scopeOf(node: Node): string {
    for (const value of node.inputs) {
      if (value?.origin.kind === "initializer" && value.origin.name !== "") {
        return value.origin.name.split(".").slice(0, -1).join(".");
      }
    }
    for (const value of node.inputs) {
      if (value?.origin.kind === "node") return this.#nodes.get(value.origin.node)?.scope ?? "";
    }
    return "";
  }

  #unique(base: string): string {
    const count = (this.#counts.get(base) ?? 0) + 1;
    this.#counts.set(base, count);
    return count === 1 ? base : `${base}_${count}`;
  }
}
