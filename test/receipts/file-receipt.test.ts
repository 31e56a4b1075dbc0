import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { OUTPUT_FORMATS } from "../../src/images/output-format.ts";
import { pixelDigest, pixelPsnr, readPixels } from "../../src/images/pixel-digest.ts";
import { checkFile, openReceiptFile, receiptIn, textOf } from "../../src/receipts/file-receipt.ts";
import { readReceipt, signerOf } from "../../src/receipts/read-receipt.ts";
import type { Receipt } from "../../src/receipts/receipt.ts";
import { sha256 } from "../../src/sha256.ts";
import { FACTS, KEY, PICTURE, writeFor } from "./support.ts";

const KEYS = [KEY.publicJwk];
/** The file with a piece of text changed, as long as it was; PNG's readers check their checksums. */
const changed = (file: Uint8Array, from: string, to: string): Uint8Array => {
  const bytes = Buffer.from(file);
  const at = bytes.indexOf(from);
  expect(at).toBeGreaterThan(0);
  bytes.write(to, at);
  return bytes;
};

describe.each(OUTPUT_FORMATS)("the receipt in a file of %s", (format) => {
  it("is read as it was signed, and is about these pixels", async () => {
    const { image, receipt } = await writeFor(format);
    const file = await openReceiptFile(image);
    const found = receiptIn(file);
    expect(found).toMatchObject({ ...FACTS, type: "retouch-receipt", version: 1 });
    expect(found.result.pixels).toBe(await pixelDigest(image));
    expect(signerOf(found, KEYS)).toEqual(KEY.publicJwk);
    expect(() => checkFile(file, found)).not.toThrow();
    const { signature: _, file: whole, ...beside } = receipt;
    const { signature: __, ...inside } = found;
    expect(beside).toEqual(inside);
    expect(whole).toEqual({ sha256: sha256(image), bytes: image.byteLength });
    expect(signerOf(receipt, KEYS)).toEqual(KEY.publicJwk);
    expect(() => checkFile(file, receipt)).not.toThrow();
  });

  it("tells a picture that was changed", async () => {
    const { image, receipt } = await writeFor(format);
    const { xmp } = await sharp(image).metadata();
    const drawn = sharp(image).composite([
      { input: { create: { width: 8, height: 8, channels: 3, background: "red" } }, left: 4, top: 4 },
    ]);
    const other = await drawn.withXmp(xmp!.toString()).toFormat(format).toBuffer();
    const file = await openReceiptFile(other);
    const refusal = "The picture was changed since its receipt was made: its pixels are others.";
    expect(() => checkFile(file, receiptIn(file))).toThrow(refusal);
    expect(() => checkFile(file, receipt, { isOnlyPicture: true })).toThrow(refusal);
  });
});

describe("the receipt of a file", () => {
  it("tells metadata that was changed, unless the picture alone counts", async () => {
    const { image, receipt } = await writeFor("jpeg");
    const file = await openReceiptFile(changed(image, 'retouch:seed="1"', 'retouch:seed="2"'));
    expect(() => checkFile(file, receiptIn(file))).toThrow("The file's metadata was changed");
    expect(() => checkFile(file, receipt)).toThrow("The file was changed since its receipt was made");
    expect(() => checkFile(file, receipt, { isOnlyPicture: true })).not.toThrow();
  });

  it("tells another value in itself", async () => {
    const { image } = await writeFor("webp");
    const file = await openReceiptFile(changed(image, '"numSteps":2', '"numSteps":3'));
    expect(() => signerOf(receiptIn(file), KEYS)).toThrow("The receipt was changed since it was signed");
  });

  it("is of a key that must be known", async () => {
    const { receipt } = await writeFor("png");
    expect(() => signerOf(receipt, [])).toThrow(
      `The receipt is signed with a key that is not known here: ${KEY.id}.`,
    );
  });

  it("has no signature without a key", async () => {
    const { image, receipt } = await writeFor("png", null);
    expect(receipt.signature).toBeUndefined();
    const file = await openReceiptFile(image);
    expect(signerOf(receiptIn(file), KEYS)).toBeUndefined();
    expect(() => checkFile(file, receiptIn(file))).not.toThrow();
  });

  it("is not there in other pictures", async () => {
    const bare = await sharp((await writeFor("png")).image)
      .png()
      .toBuffer();
    const file = await openReceiptFile(bare);
    expect(() => receiptIn(file)).toThrow("The file has no receipt in it; --receipt names one beside it.");
    // Its pixels are the same, so the receipt beside it still says what they are.
    const { receipt } = await writeFor("png");
    expect(() => checkFile(file, receipt, { isOnlyPicture: true })).not.toThrow();
  });

  it("has the same bytes every time", async () => {
    const [one, other] = await Promise.all([writeFor("png"), writeFor("png")]);
    expect(Buffer.from(one.image).equals(other.image)).toBe(true);
    expect(one.receipt).toEqual(other.receipt);
  });

  it("finds its texts where the file or the caller has them", async () => {
    const { image, receipt } = await writeFor("png", KEY, "Make it night");
    const { packet } = await openReceiptFile(image);
    const found = { isMissing: false, text: "Make it night" };
    expect(textOf("prompt", receipt, { packet, given: undefined })).toEqual(found);
    expect(textOf("prompt", receipt, { packet: undefined, given: "Make it night" })).toEqual(found);
    expect(textOf("prompt", receipt, { packet: undefined, given: "Make it day" }).isMissing).toBe(true);
    expect(textOf("prompt2", receipt, { packet, given: undefined })).toEqual({
      isMissing: false,
      text: undefined,
    });
  });

  it("keeps an instruction of several lines, and every sign of XML", async () => {
    const text = "Write \"a & b\"\n\t<below>\r\n'quoted'";
    const { image, receipt } = await writeFor("webp", KEY, text);
    const told: Receipt = {
      ...receipt,
      parameters: { prompt: { sha256: sha256(text), characters: text.length } },
    };
    const { packet } = await openReceiptFile(image);
    expect(textOf("prompt", told, { packet, given: undefined })).toEqual({ isMissing: false, text });
  });
});

describe("pixels", () => {
  it("are those that were written, where the format is exact", async () => {
    const { image } = await writeFor("png");
    const { data, width, height, channels, icc } = await readPixels(image);
    expect([width, height, channels, icc]).toEqual([PICTURE.width, PICTURE.height, 3, undefined]);
    expect(Buffer.from(data as Uint8Array).equals(PICTURE.data)).toBe(true);
  });

  it("are so many decibels apart", async () => {
    const one = await readPixels((await writeFor("png")).image);
    const other = { ...one, data: (one.data as Uint8Array).map((value) => value ^ 1) };
    expect(pixelPsnr(one, one)).toBe(Infinity);
    expect(pixelPsnr(one, other)).toBeCloseTo(48.13, 2);
  });
});

describe("reading a receipt", () => {
  it("takes one that was written", async () => {
    const { receipt } = await writeFor("png");
    expect(readReceipt(JSON.stringify(receipt))).toEqual(receipt);
  });

  const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
  it.each<[string, (receipt: Record<string, unknown>) => string, string]>([
    ["no JSON", () => "{", "The receipt is not JSON."],
    ["no object", () => "[]", "The receipt is not a JSON object."],
    ["too long a text", () => " ".repeat(70_000), "The receipt has more than 65536 characters."],
    ["a deep one", () => `{"type":${deep}}`, "The receipt is nested more than 8 deep."],
    [
      "another version",
      (r) => JSON.stringify({ ...r, version: 2 }),
      "The receipt is of another version than 1.",
    ],
    [
      "another type",
      (r) => JSON.stringify({ ...r, type: "x" }),
      "The receipt has no type as a receipt has it.",
    ],
    [
      "a member more",
      (r) => JSON.stringify({ ...r, more: 1 }),
      "The receipt has members that no receipt has.",
    ],
    [
      "no seed",
      (r) => JSON.stringify({ ...r, seed: undefined }),
      "The receipt has no seed as a receipt has it.",
    ],
    [
      "half a seed",
      (r) => JSON.stringify({ ...r, seed: 1.5 }),
      "The receipt has no seed as a receipt has it.",
    ],
    [
      "a text of inputs",
      (r) => JSON.stringify({ ...r, inputs: "x" }),
      "The receipt has no inputs as a receipt has it.",
    ],
    [
      "an input without a digest",
      (r) => JSON.stringify({ ...r, inputs: [{ bytes: 1 }] }),
      "The receipt has no inputs as a receipt has it.",
    ],
    [
      "many LoRAs",
      (r) => JSON.stringify({ ...r, loras: Array.from({ length: 65 }, () => FACTS.loras[0]) }),
      "The receipt has no loras as a receipt has it.",
    ],
    [
      "another algorithm",
      (r) => JSON.stringify({ ...r, signature: { algorithm: "none", key: KEY.id, value: "" } }),
      "The receipt has no signature as a receipt has it.",
    ],
    [
      "a prototype",
      (r) => JSON.stringify(r).replace("{", '{"__proto__":{"version":1},'),
      "The receipt has members that no receipt has.",
    ],
  ])("refuses %s", async (_, textOfIt, sentence) => {
    const { receipt } = await writeFor("png");
    expect(() => readReceipt(textOfIt({ ...receipt }))).toThrow(sentence);
  });
});
