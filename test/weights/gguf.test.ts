import { truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readGgufHeader } from "../../src/weights/gguf.ts";
import { ggufOf, type GgufFields } from "../support/gguf.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const F32 = 0;
const Q8_0 = 8;
const Q1_0 = 41;
const WEIGHT: GgufFields = { name: "a.weight", dims: [32, 2], code: Q8_0, offset: 0 };
const BIAS: GgufFields = { name: "a.bias", dims: [2], code: F32, offset: 96 };
const DATA = new Uint8Array(104);

async function fileOf(bytes: Uint8Array): Promise<string> {
  const file = path.join(await temporaryFolder(), "flux.gguf");
  await writeFile(file, bytes);
  return file;
}

describe("the header of a GGUF file", () => {
  it.each([2, 3])("says where every tensor lies, rows first, in version %d", async (version) => {
    const bytes = ggufOf([WEIGHT, BIAS], { version, data: DATA });
    const dataStart = bytes.length - DATA.length;
    const tensors = await readGgufHeader(await fileOf(bytes));
    expect([...tensors.keys()]).toEqual(["a.weight", "a.bias"]);
    expect(tensors.get("a.weight")).toMatchObject({
      storedType: "Q8_0",
      shape: [2, 32],
      byteOffset: dataStart,
      byteLength: 68,
    });
    expect(tensors.get("a.bias")).toMatchObject({
      storedType: "F32",
      shape: [2],
      byteOffset: dataStart + 96,
      byteLength: 8,
    });
  });

  it("has a name for a type that cannot be read, and no length", async () => {
    const file = await fileOf(ggufOf([{ ...WEIGHT, code: Q1_0 }]));
    expect((await readGgufHeader(file)).get("a.weight")).toMatchObject({
      type: undefined,
      storedType: "type 41",
      byteLength: 0,
    });
  });
});

describe("a tensor that was reshaped", () => {
  const shapes = (dims: number[]) => ({ "comfy.gguf.orig_shape.a.weight": dims });

  it("has the shape that ComfyUI-GGUF's converter found", async () => {
    const file = await fileOf(ggufOf([WEIGHT], { shapes: shapes([4, 4, 2, 2]), data: DATA }));
    expect((await readGgufHeader(file)).get("a.weight")).toMatchObject({
      shape: [4, 4, 2, 2],
      byteLength: 68,
    });
  });

  it.each([[[4, 4, 2]], [[64, 0]], [[]]])("is refused with a shape that does not fit: %j", async (dims) => {
    const file = await fileOf(ggufOf([WEIGHT], { shapes: shapes(dims), data: DATA }));
    await expect(readGgufHeader(file)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${file} is damaged: comfy.gguf.orig_shape.a.weight does not fit the tensor's shape [2, 32].`,
      ),
    );
  });
});

describe("a GGUF file is refused", () => {
  const damaged: [string, Uint8Array, RegExp][] = [
    ["with another beginning", ggufOf([], { magic: "GGML" }), /: it does not begin as a GGUF file does\.$/],
    ["that is empty", new Uint8Array(), /: it does not begin as a GGUF file does\.$/],
    [
      "with a name that is a book",
      ggufOf([{ ...WEIGHT, name: "x".repeat(1001) }], { data: DATA }),
      /: x{50}\.\.\. is no tensor of a network\.$/,
    ],
    [
      "with 17 dimensions",
      ggufOf([{ ...WEIGHT, dims: [...WEIGHT.dims, ...Array<number>(17 - WEIGHT.dims.length).fill(1)] }], {
        data: DATA,
      }),
      /: its header cannot be read\.$|\.\.\. is no tensor of a network\.$/,
    ],
    [
      "with more tensors than its bytes can name",
      ggufOf([WEIGHT], { count: 1000, data: DATA }),
      /: its header claims 1000 tensors and the file has \d+ bytes\.$/,
    ],
    [
      "with a count beyond all bounds",
      ggufOf([WEIGHT], { count: 2n ** 64n - 1n, data: DATA }),
      /: its header claims 18446744073709551615 tensors and the file has \d+ bytes\.$/,
    ],
    [
      "with a dimension beyond all bounds",
      ggufOf([{ ...WEIGHT, dims: [2 ** 40] }], { data: DATA }),
      /: its header cannot be read\.$/,
    ],
    [
      "with more dimensions than there are",
      ggufOf([{ ...WEIGHT, dims: Array<number>(9).fill(1) }], { data: DATA }),
      /: its header cannot be read\.$/,
    ],
    [
      "whose tensor ends after it",
      ggufOf([WEIGHT, { ...BIAS, offset: 100 }], { data: DATA }),
      /: a\.bias should end at byte \d+ and the file has \d+\.$/,
    ],
    [
      "whose tensor is larger than any file",
      ggufOf([{ ...WEIGHT, dims: [2 ** 32, 2 ** 32, 2 ** 32] }], { data: DATA }),
      /: a\.weight should end at byte /,
    ],
    [
      "whose tensors share bytes",
      ggufOf([WEIGHT, { ...BIAS, offset: 64 }], { data: DATA }),
      /: a\.bias begins inside a\.weight\.$/,
    ],
    ["that has a tensor twice", ggufOf([WEIGHT, WEIGHT], { data: DATA }), /: it has a\.weight twice\.$/],
    [
      "whose rows are no whole blocks",
      ggufOf([{ ...WEIGHT, dims: [30, 2] }], { data: DATA }),
      /: a\.weight \[2, 30\] is Q8_0, whose blocks have 32 numbers\.$/,
    ],
    [
      "whose alignment is none",
      ggufOf([WEIGHT], { alignment: 48, data: DATA }),
      /: its tensors are aligned to 48 bytes, which is no power of two in use\.$/,
    ],
    [
      "whose alignment leads before its header",
      ggufOf([WEIGHT], { alignment: 2 ** 31, data: DATA }),
      /: its tensors are aligned to 2147483648 bytes, which is no power of two in use\.$/,
    ],
  ];
  it.each(damaged)("%s", async (_, bytes, sentence) => {
    const file = await fileOf(bytes);
    const error = await readGgufHeader(file).catch((cause: unknown) => cause);
    expect(error).toEqual(refusal("CHECKPOINT_INVALID", sentence));
    expect((error as Error).message).toContain(`The weights file ${file} is damaged: `);
  });

  it("that ends inside its header, wherever that is", async () => {
    const whole = ggufOf([WEIGHT, BIAS]);
    const file = await fileOf(whole);
    const headerEnd = whole.length - ((whole.length - 1) % 32) - 1;
    for (let length = headerEnd; length >= 0; length -= 7) {
      await truncate(file, length);
      await expect(readGgufHeader(file), `${length} bytes`).rejects.toEqual(
        refusal("CHECKPOINT_INVALID", /^The weights file .* is damaged: /),
      );
    }
  });

  it.each([
    ["of the first version", { version: 1 }, 1],
    ["of a big-endian machine", { version: 0x03000000 }, 0x03000000],
  ])("%s", async (_, fields, version) => {
    const file = await fileOf(ggufOf([WEIGHT], fields));
    await expect(readGgufHeader(file)).rejects.toEqual(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${file} is GGUF version ${version}; versions 2 and 3, little-endian, can be read.`,
      ),
    );
  });

  it("that does not exist, or is a folder", async () => {
    const folder = await temporaryFolder();
    await expect(readGgufHeader(path.join(folder, "none.gguf"))).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", /none\.gguf cannot be opened\.$/),
    );
    await expect(readGgufHeader(folder)).rejects.toEqual(refusal("CHECKPOINT_INVALID", / is a folder\.$/));
  });
});
