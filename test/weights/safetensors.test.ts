import { mkdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { refusal } from "../support/refusal.ts";
import { fileOf, float32, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const inFolder = async (name = "model.safetensors"): Promise<string> =>
  path.join(await temporaryFolder(), name);

describe("readSafetensorsHeader", () => {
  it("finds type, shape and bytes of every tensor, and no tensor in the metadata", async () => {
    const file = await inFolder();
    await writeSafetensors(file, {
      "b.weight": float32([1, 2, 3, 4, 5, 6], [2, 3]),
      "a.bias": { dtype: "BF16", shape: [1], bytes: new Uint8Array(2) },
      scalar: { dtype: "I64", shape: [], bytes: new Uint8Array(8) },
      empty: { dtype: "F16", shape: [0, 4], bytes: new Uint8Array() },
    });
    const tensors = await readSafetensorsHeader(file);
    const start = tensors.get("b.weight")!.byteOffset;
    expect([...tensors]).toEqual([
      [
        "b.weight",
        { file, dtype: "float32", storedType: "F32", shape: [2, 3], byteOffset: start, byteLength: 24 },
      ],
      [
        "a.bias",
        { file, dtype: "bfloat16", storedType: "BF16", shape: [1], byteOffset: start + 24, byteLength: 2 },
      ],
      [
        "scalar",
        { file, dtype: "int64", storedType: "I64", shape: [], byteOffset: start + 26, byteLength: 8 },
      ],
      [
        "empty",
        { file, dtype: "float16", storedType: "F16", shape: [0, 4], byteOffset: start + 34, byteLength: 0 },
      ],
    ]);
  });

  it("counts offsets from the end of the header", async () => {
    const file = await inFolder();
    const header =
      '{"x":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},"y":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   ';
    await writeFile(file, fileOf(header, Uint8Array.of(0, 7, 8)));
    expect((await readSafetensorsHeader(file)).get("x")!.byteOffset).toBe(8 + header.length + 1);
  });

  it("takes an element type that no network uses, as long as nobody asks for the tensor", async () => {
    const file = await inFolder();
    await writeSafetensors(file, { x: { dtype: "F8_E8M0", shape: [3], bytes: new Uint8Array(3) } });
    expect((await readSafetensorsHeader(file)).get("x")).toMatchObject({
      dtype: undefined,
      storedType: "F8_E8M0",
    });
  });

  it("says which file does not exist", async () => {
    const file = await inFolder();
    await expect(readSafetensorsHeader(file)).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", `The weights file ${file} cannot be opened.`),
    );
  });

  it("says that a folder stands where the file should be", async () => {
    const folder = await inFolder();
    await mkdir(folder);
    await expect(readSafetensorsHeader(folder)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The weights file ${folder} is a folder.`),
    );
  });
});

// Each is refused by safetensors 0.8.0 too.
describe("data that the tensors do not fill", () => {
  const bytes = (start: number, end: number): unknown => ({
    dtype: "U8",
    shape: [end - start],
    data_offsets: [start, end],
  });
  const place = (header: object, at: number): number => 8 + JSON.stringify(header).length + at;

  it.each<[string, Record<string, unknown>, number, string, number, number]>([
    ["a gap", { a: bytes(0, 1), b: bytes(2, 3) }, 3, "b", 2, 1],
    ["a gap at the start", { a: bytes(1, 3) }, 3, "a", 1, 0],
    ["an overlap", { a: bytes(0, 2), b: bytes(1, 3) }, 3, "b", 1, 2],
    ["two tensors in one place", { a: bytes(0, 2), b: bytes(0, 2) }, 2, "b", 0, 2],
    ["an empty tensor inside another", { a: bytes(0, 2), b: bytes(1, 1) }, 2, "b", 1, 2],
  ])("is refused: %s", async (_, header, size, key, start, end) => {
    const file = await inFolder();
    await writeFile(file, fileOf(header, new Uint8Array(size)));
    await expect(readSafetensorsHeader(file)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${file} is damaged: ${key} begins at byte ${place(header, start)}, and the tensor before it ends at byte ${place(header, end)}.`,
      ),
    );
  });

  it.each([{}, { a: bytes(0, 2) }])("is refused: a tail after %j", async (header) => {
    const file = await inFolder();
    const size = Object.keys(header).length * 2;
    await writeFile(file, fileOf(header, new Uint8Array(size + 1)));
    await expect(readSafetensorsHeader(file)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${file} is damaged: its tensors end at byte ${place(header, size)} and the file has ${place(header, size + 1)}.`,
      ),
    );
  });

  it("may hold empty tensors, and list them in any order", async () => {
    const file = await inFolder();
    await writeFile(file, fileOf({ c: bytes(2, 2), b: bytes(0, 2), a: bytes(0, 0) }, new Uint8Array(2)));
    expect((await readSafetensorsHeader(file)).size).toBe(3);
  });
});

describe("a damaged file", () => {
  const entry = (fields: object = {}): unknown => ({
    x: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields },
  });
  const withLength = (length: bigint): Uint8Array => {
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(length);
    return bytes;
  };

  it.each<[string, Uint8Array, string]>([
    ["of no bytes", new Uint8Array(), "it ends after 0 bytes, inside the header"],
    ["of seven bytes", new Uint8Array(7), "it ends after 7 bytes, inside the header"],
    ["with a header beyond its end", withLength(9n), "its header claims 9 bytes and the file has 16"],
    [
      "with a header of a gigabyte",
      withLength(2n ** 30n),
      "its header claims 1073741824 bytes and the file has 16",
    ],
    [
      "with the largest possible header",
      withLength(2n ** 64n - 1n),
      "its header claims 18446744073709552000 bytes and the file has 16",
    ],
    ["with an empty header", fileOf(""), "its header is not JSON"],
    ["whose header is text", fileOf("weights"), "its header is not JSON"],
    ["whose header is cut", fileOf('{"x":{"dtype":"F32"'), "its header is not JSON"],
    ["whose header is null", fileOf(null), "its header is not a JSON object"],
    ["whose header is a list", fileOf([]), "its header is not a JSON object"],
    ["with an entry that is null", fileOf({ x: null }), "the header's entry x is malformed"],
    [
      "with an entry without a type",
      fileOf(entry({ dtype: undefined })),
      "the header's entry x is malformed",
    ],
    ["with a negative dimension", fileOf(entry({ shape: [-2] })), "the header's entry x is malformed"],
    ["with a dimension that is text", fileOf(entry({ shape: ["2"] })), "the header's entry x is malformed"],
    ["with one offset", fileOf(entry({ data_offsets: [0] })), "the header's entry x is malformed"],
    ["with a negative offset", fileOf(entry({ data_offsets: [-8, 0] })), "the header's entry x is malformed"],
    [
      "with a broken offset",
      fileOf(entry({ data_offsets: [0.5, 8.5] })),
      "the header's entry x is malformed",
    ],
    [
      "with offsets in the wrong order",
      fileOf(entry({ data_offsets: [8, 0] })),
      "x has -8 bytes, which do not fit F32 [2]",
    ],
    [
      "with offsets in the wrong order for a type that is not known",
      fileOf(entry({ dtype: "F8_E8M0", data_offsets: [8, 0] })),
      "x has -8 bytes, which do not fit F8_E8M0 [2]",
    ],
    [
      "with a name that is a book",
      fileOf({ ["x".repeat(1001)]: { dtype: "F32", shape: [0], data_offsets: [0, 0] } }),
      "its header has a name of 1001 characters, where 1000 are the most",
    ],
    [
      "with a type that is a sentence",
      fileOf(entry({ dtype: "F".repeat(33) })),
      "the header's entry x is malformed",
    ],
    [
      "with 17 dimensions",
      fileOf(entry({ shape: [2, ...Array<number>(16).fill(1)] })),
      "the header's entry x is malformed",
    ],
    [
      "with dimensions whose product is no number",
      fileOf(entry({ shape: [2 ** 53 - 1, ...Array<number>(15).fill(2 ** 53 - 1)] }), new Uint8Array(8)),
      `x has 8 bytes, which do not fit F32 [${Array(16)
        .fill(2 ** 53 - 1)
        .join(", ")}]`,
    ],
    [
      "with more tensors than a network has",
      fileOf(
        Object.fromEntries(
          Array.from({ length: 100_001 }, (_, index) => [
            `x${index}`,
            { dtype: "F32", shape: [0], data_offsets: [0, 0] },
          ]),
        ),
      ),
      "its header lists 100001 tensors, and a file has at most 100000",
    ],
    [
      "with fewer bytes than the shape",
      fileOf(entry({ shape: [3] }), new Uint8Array(8)),
      "x has 8 bytes, which do not fit F32 [3]",
    ],
    [
      "with more bytes than the type",
      fileOf(entry({ dtype: "BF16" }), new Uint8Array(8)),
      "x has 8 bytes, which do not fit BF16 [2]",
    ],
  ])("%s is refused", async (_, bytes, detail) => {
    const file = await inFolder();
    await writeFile(file, bytes);
    await expect(readSafetensorsHeader(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The weights file ${file} is damaged: ${detail}.`),
    );
  });

  it("whose header is larger than the format allows is refused before it is read", async () => {
    const file = await inFolder();
    await writeFile(file, withLength(100_000_001n));
    // Without taking the space on the disk.
    await truncate(file, 200_000_000);
    await expect(readSafetensorsHeader(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", /its header claims 100000001 bytes and the file has 200000000\.$/),
    );
  });

  it("that ends inside its data is refused, as one that is still being downloaded", async () => {
    const file = await inFolder();
    const whole = fileOf(entry(), new Uint8Array(8));
    await writeFile(file, whole.subarray(0, -1));
    await expect(readSafetensorsHeader(file)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${file} is damaged: x should end at byte ${whole.length} and the file has ${whole.length - 1}.`,
      ),
    );
  });
});
