import { describe, expect, it } from "vitest";
import {
  attributeProto,
  graphProto,
  modelProto,
  nodeProto,
  tensorProto,
  valueInfoProto,
} from "../../src/onnx/proto.ts";
import { encoded, type Message } from "../../src/onnx/proto-writer.ts";

const hex = (message: Message): string => Buffer.from(encoded(message)).toString("hex");
/** Hand-written bytes: text in quotes, all else hexadecimal. */
const bytes = (written: string): string =>
  written
    .replaceAll(/"([^"]*)"/g, (_, text: string) => Buffer.from(text).toString("hex"))
    .replaceAll(/\s/g, "");

describe("a whole number", () => {
  it.each([
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "80 01"],
    [300, "ac 02"],
    [2 ** 31, "80 80 80 80 08"],
    [2 ** 53 - 1, "ff ff ff ff ff ff ff 0f"],
    [-1, "ff ff ff ff ff ff ff ff ff 01"],
    [-(2 ** 31), "80 80 80 80 f8 ff ff ff ff 01"],
  ])("%i is written in groups of seven bits, the lowest first", (value, varint) => {
    const written = hex(attributeProto("a", { kind: "int", value }));
    expect(written).toBe(bytes(`0a 01 "a" 18 ${varint} a0 01 02`));
  });
});

describe("an attribute", () => {
  it.each([
    [{ kind: "float", value: 1e-6 } as const, "15 bd 37 86 35  a0 01 01"],
    [{ kind: "string", value: "tänh" } as const, '22 05 "tänh"  a0 01 03'],
    [
      { kind: "ints", value: [0, -1, 2] } as const,
      "40 00  40 ff ff ff ff ff ff ff ff ff 01  40 02  a0 01 07",
    ],
    [{ kind: "ints", value: [] } as const, "a0 01 07"],
  ])("%o carries its value and its type", (attribute, body) => {
    expect(hex(attributeProto("xy", attribute))).toBe(bytes(`0a 02 "xy" ${body}`));
  });
});

describe("a tensor", () => {
  it("in a file names the file, the offset and the length as texts", () => {
    const written = tensorProto("w", "bfloat16", [2, 3], {
      kind: "external",
      location: "a/b.safetensors",
      byteOffset: 5_000_000_000,
      byteLength: 12,
    });
    expect(hex(written)).toBe(
      bytes(`08 02 08 03  10 10  42 01 "w"
        6a 1b 0a 08 "location" 12 0f "a/b.safetensors"
        6a 14 0a 06 "offset" 12 0a "5000000000"
        6a 0c 0a 06 "length" 12 02 "12"
        70 01`),
    );
  });

  it("of no dimensions has no dimension field", () => {
    const written = tensorProto("c", "float32", [], { kind: "inline", bytes: Uint8Array.of(0, 0, 128, 63) });
    expect(hex(written)).toBe(bytes('10 01  42 01 "c"  4a 04 00 00 80 3f'));
  });
});

describe("a model", () => {
  it("of one node is the bytes that the specification asks for", () => {
    const node = nodeProto({
      opType: "Add",
      domain: "",
      name: "n",
      inputs: ["x", "", "c"],
      outputs: ["y"],
      attributes: { axis: { kind: "int", value: 1 } },
    });
    const constant = tensorProto("c", "int64", [1], {
      kind: "inline",
      bytes: Uint8Array.from([7, 0, 0, 0, 0, 0, 0, 0]),
    });
    const graph = graphProto({
      name: "g",
      nodes: [node],
      initializers: [constant],
      inputs: [valueInfoProto("x", "int64", [1, "rows"])],
      outputs: [valueInfoProto("y", "int64", [])],
    });
    expect(hex(modelProto(graph, { "": 23 }))).toBe(
      bytes(`08 0b  12 07 "retouch"
        3a 60
          0a 22  0a 01 "x" 0a 00 0a 01 "c"  12 01 "y"  1a 01 "n"  22 03 "Add"
                 2a 0b 0a 04 "axis" 18 01 a0 01 02  3a 00
          12 01 "g"
          2a 11  08 01  10 07  42 01 "c"  4a 08 07 00 00 00 00 00 00 00
          5a 17  0a 01 "x"  12 12 0a 10 08 07 12 0c 0a 02 08 01 0a 06 12 04 "rows"
          62 0b  0a 01 "y"  12 06 0a 04 08 07 12 00
        42 04 0a 00 10 17`),
    );
  });
});

describe("a field of known length", () => {
  it.each([0, 1, 127, 128, 16_383, 16_384, 100_000])("of %i bytes has them after its length", (length) => {
    const value = "é".repeat(length >> 1) + "e".repeat(length % 2);
    const size: number[] = [];
    for (let rest = length; ; rest >>= 7) {
      size.push(rest < 128 ? rest : (rest & 127) | 128);
      if (rest < 128) break;
    }
    const expected = Buffer.from([0x0a, ...size, ...Buffer.from(value), 0x10, 1]);
    const written = encoded((to) => {
      to.text(1, value);
      to.int(2, 1);
    });
    const nested = encoded((to) => {
      to.message(1, (inner) => inner.bytes(1, Buffer.from(value)));
      to.int(2, 1);
    });
    expect(expected.equals(written)).toBe(true);
    const inner = expected.subarray(0, -2);
    expect(Buffer.from(encoded((to) => to.bytes(1, inner))).equals(nested.subarray(0, -2))).toBe(true);
  });
});
