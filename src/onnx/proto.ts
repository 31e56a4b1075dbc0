/**
 * Writes ONNX's protobuf messages, one function per message; the numbers are the field numbers of `onnx.proto`
 * (onnx 1.18, https://github.com/onnx/onnx/blob/v1.18.0/onnx/onnx.proto). It covers only what a float network with
 * external weights needs, and reads nothing back.
 */
import { type DType, onnxCodeOf } from "./dtype.ts";
import type { Message } from "./proto-writer.ts";

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

export const attributeProto =
  (name: string, attribute: Attribute): Message =>
  (to) => {
    to.text(1, name);
    switch (attribute.kind) {
      case "float":
        to.float(2, attribute.value);
        return to.int(20, 1);
      case "int":
        to.int(3, attribute.value);
        return to.int(20, 2);
      case "string":
        to.text(4, attribute.value);
        return to.int(20, 3);
      case "ints":
        for (const value of attribute.value) to.int(8, value);
        return to.int(20, 7);
    }
  };

export const nodeProto =
  (node: {
    opType: string;
    domain: string;
    name: string;
    inputs: readonly string[];
    outputs: readonly string[];
    attributes: Readonly<Record<string, Attribute>>;
  }): Message =>
  (to) => {
    for (const input of node.inputs) to.text(1, input);
    for (const output of node.outputs) to.text(2, output);
    to.text(3, node.name);
    to.text(4, node.opType);
    for (const [name, value] of Object.entries(node.attributes)) to.message(5, attributeProto(name, value));
    to.text(7, node.domain);
  };

export const tensorProto =
  (name: string, dtype: DType, shape: readonly number[], data: TensorData): Message =>
  (to) => {
    for (const dim of shape) to.int(1, dim);
    to.int(2, onnxCodeOf(dtype));
    to.text(8, name);
    if (data.kind === "inline") return to.bytes(9, data.bytes);
    to.message(13, entryProto("location", data.location));
    to.message(13, entryProto("offset", String(data.byteOffset)));
    to.message(13, entryProto("length", String(data.byteLength)));
    to.int(14, 1);
  };

const entryProto =
  (key: string, value: string): Message =>
  (to) => {
    to.text(1, key);
    to.text(2, value);
  };

export const valueInfoProto =
  (name: string, dtype: DType, shape: readonly Dim[]): Message =>
  (to) => {
    to.text(1, name);
    to.message(2, (type) => type.message(1, tensorTypeProto(dtype, shape)));
  };

const tensorTypeProto =
  (dtype: DType, shape: readonly Dim[]): Message =>
  (to) => {
    to.int(1, onnxCodeOf(dtype));
    to.message(2, (dims) => {
      for (const dim of shape) dims.message(1, dimProto(dim));
    });
  };

const dimProto =
  (dim: Dim): Message =>
  (to) =>
    typeof dim === "number" ? to.int(1, dim) : to.text(2, dim);

export const graphProto =
  (graph: {
    name: string;
    nodes: readonly Message[];
    initializers: readonly Message[];
    inputs: readonly Message[];
    outputs: readonly Message[];
  }): Message =>
  (to) => {
    for (const node of graph.nodes) to.message(1, node);
    to.text(2, graph.name);
    for (const tensor of graph.initializers) to.message(5, tensor);
    for (const input of graph.inputs) to.message(11, input);
    for (const output of graph.outputs) to.message(12, output);
  };

export const modelProto =
  (graph: Message, opsets: Readonly<Record<string, number>>): Message =>
  (to) => {
    to.int(1, IR_VERSION);
    to.text(2, "retouch");
    to.message(7, graph);
    for (const [domain, version] of Object.entries(opsets)) {
      to.message(8, (opset) => {
        opset.text(1, domain);
        opset.int(2, version);
      });
    }
  };

/** The intermediate representation version that came with opset 23. */
const IR_VERSION = 11;
