/**
 * Writes ONNX's protobuf messages, one function per message; the numbers are the field numbers of `onnx.proto`
 * (onnx 1.18, https://github.com/onnx/onnx/blob/v1.18.0/onnx/onnx.proto). It covers only what a float network with
 * external weights needs, and reads nothing back.
 */
import { type DType, onnxCodeOf } from "./dtype.ts";

export type Dim = number | string;

export type Attribute =
  | { kind: "int"; value: number }
  | { kind: "float"; value: number }
  | { kind: "string"; value: string }
  | { kind: "ints"; value: readonly number[] };

/** Where an initializer's bytes lie: in the model itself or in a byte range of a file beside it. */
export type TensorData =
  | { kind: "inline"; bytes: Uint8Array }
  | { kind: "external"; location: string; byteOffset: number; byteLength: number };

type Bytes = readonly Uint8Array[];

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;
const WIRE_FLOAT = 5;

const utf8 = new TextEncoder();

function varint(value: number): Uint8Array {
  // Two's complement over 64 bits, as protobuf encodes negative int64 values; numbers stay below 2^53.
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

const tag = (field: number, wire: number): Uint8Array => varint(field * 8 + wire);
const byteCount = (parts: Bytes): number => parts.reduce((sum, part) => sum + part.byteLength, 0);

const int = (field: number, value: number): Bytes => [tag(field, WIRE_VARINT), varint(value)];
const bytes = (field: number, value: Uint8Array): Bytes => [
  tag(field, WIRE_BYTES),
  varint(value.byteLength),
  value,
];
const text = (field: number, value: string): Bytes => bytes(field, utf8.encode(value));
const message = (field: number, parts: Bytes): Bytes => [
  tag(field, WIRE_BYTES),
  varint(byteCount(parts)),
  ...parts,
];
const float = (field: number, value: number): Bytes => [
  tag(field, WIRE_FLOAT),
  new Uint8Array(Float32Array.of(value).buffer),
];

export function concatBytes(parts: Bytes): Uint8Array {
  const whole = new Uint8Array(byteCount(parts));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

export function attributeProto(name: string, attribute: Attribute): Bytes {
  const head = text(1, name);
  switch (attribute.kind) {
    case "float":
      return [...head, ...float(2, attribute.value), ...int(20, 1)];
    case "int":
      return [...head, ...int(3, attribute.value), ...int(20, 2)];
    case "string":
      return [...head, ...text(4, attribute.value), ...int(20, 3)];
    case "ints":
      return [...head, ...attribute.value.flatMap((value) => int(8, value)), ...int(20, 7)];
  }
}

export function nodeProto(node: {
  opType: string;
  domain: string;
  name: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}): Bytes {
  return [
    ...node.inputs.flatMap((input) => text(1, input)),
    ...node.outputs.flatMap((output) => text(2, output)),
    ...text(3, node.name),
    ...text(4, node.opType),
    ...Object.entries(node.attributes).flatMap(([name, value]) => message(5, attributeProto(name, value))),
    ...text(7, node.domain),
  ];
}

export function tensorProto(name: string, dtype: DType, shape: readonly number[], data: TensorData): Bytes {
  const head = [...shape.flatMap((dim) => int(1, dim)), ...int(2, onnxCodeOf(dtype)), ...text(8, name)];
  if (data.kind === "inline") return [...head, ...bytes(9, data.bytes)];
  const entry = (key: string, value: string): Bytes => message(13, [...text(1, key), ...text(2, value)]);
  return [
    ...head,
    ...entry("location", data.location),
    ...entry("offset", String(data.byteOffset)),
    ...entry("length", String(data.byteLength)),
    ...int(14, 1),
  ];
}

export function valueInfoProto(name: string, dtype: DType, shape: readonly Dim[]): Bytes {
  const dims = shape.flatMap((dim) => message(1, typeof dim === "number" ? int(1, dim) : text(2, dim)));
  const tensorType = [...int(1, onnxCodeOf(dtype)), ...message(2, dims)];
  return [...text(1, name), ...message(2, message(1, tensorType))];
}

export function graphProto(graph: {
  name: string;
  nodes: readonly Bytes[];
  initializers: readonly Bytes[];
  inputs: readonly Bytes[];
  outputs: readonly Bytes[];
}): Bytes {
  return [
    ...graph.nodes.flatMap((node) => message(1, node)),
    ...text(2, graph.name),
    ...graph.initializers.flatMap((tensor) => message(5, tensor)),
    ...graph.inputs.flatMap((input) => message(11, input)),
    ...graph.outputs.flatMap((output) => message(12, output)),
  ];
}

export function modelProto(graph: Bytes, opsets: Readonly<Record<string, number>>): Bytes {
  return [
    ...int(1, IR_VERSION),
    ...text(2, "retouch"),
    ...message(7, graph),
    ...Object.entries(opsets).flatMap(([domain, version]) =>
      message(8, [...text(1, domain), ...int(2, version)]),
    ),
  ];
}

/** The intermediate representation version that came with opset 23. */
const IR_VERSION = 11;
