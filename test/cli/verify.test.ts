/** `retouch verify` as a user runs it. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { CHECKPOINT, type Ended, ONE_THREAD, quickEdit, retouch } from "./run.ts";

const SOURCE = path.join(root, "examples", "teapot.png");
const OTHER = path.join(root, "examples", "fox.png");
const PROMPT = "Make it night";

interface Keys {
  environment: Record<string, string>;
  publicFile: string;
}

async function keysIn(folder: string, name: string): Promise<Keys> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const [file, publicFile] = [path.join(folder, `${name}.pem`), path.join(folder, `${name}.pub.pem`)];
  await writeFile(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await writeFile(publicFile, publicKey.export({ type: "spki", format: "pem" }));
  return { environment: { RETOUCH_RECEIPT_KEY_FILE: file }, publicFile };
}

describe("retouch verify", () => {
  let folder: string;
  let keys: Keys;
  let result: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
    keys = await keysIn(folder, "own");
    result = path.join(folder, "result.png");
    const flags = ["--size", "64x64", "-o", result, "--receipt", path.join(folder, "receipt.json")];
    const made = await quickEdit(SOURCE, { prompt: PROMPT, flags }, { env: keys.environment });
    expect(made.code, made.stderr).toBe(0);
    return () => rm(folder, { recursive: true, force: true });
  });

  const verify = (
    file: string,
    flags: readonly string[] = [],
    { checkpoint = CHECKPOINT, env }: { checkpoint?: string; env?: Record<string, string> } = {},
  ): Promise<Ended> =>
    retouch(
      ["verify", file, "--checkpoint", checkpoint, ...ONE_THREAD, ...flags],
      env === undefined ? {} : { env },
    );
  const whole = (): string[] => ["--source", SOURCE, "--prompt", PROMPT, "--key", keys.publicFile];

  it("says that the same edit gives the same picture", async () => {
    const { code, stdout, stderr } = await verify(result, whole());
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.toString()).toMatch(
      /^receipt {2}signed with \S{43}\npicture {2}the one of the receipt: png, 64 x 64\nmade by {2}.*, plain, seed 7\nagain {4}equal\n$/,
    );
  });

  it("takes the key of the settings, and the receipt beside the file", async () => {
    const flags = [
      "--source",
      SOURCE,
      "--prompt",
      PROMPT,
      "--receipt",
      path.join(folder, "receipt.json"),
      "--json",
    ];
    const { code, stdout } = await verify(result, flags, { env: keys.environment });
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      isSigned: true,
      again: { isEqual: true, psnr: null, differences: [] },
    });
  });

  it("says how far another arithmetic is from it, and when that is too far", async () => {
    const far = await verify(result, [...whole(), "--weights", "int8", "--json"]);
    const { psnr } = JSON.parse(far.stdout.toString()).again;
    expect(psnr).toBeGreaterThan(5);
    expect(psnr).toBeLessThan(100);
    const { code, stdout, stderr } = await verify(result, [
      ...whole(),
      "--weights",
      "int8",
      "--min-psnr",
      "100",
    ]);
    expect(code).toBe(1);
    expect(stdout.toString()).toMatch(/again {4}\d+\.\d dB from it; here, .*the arithmetic/);
    expect(stderr).toMatch(
      /^retouch: Made again, the picture is \d+\.\d dB from the file's, which is less than 100 dB/,
    );
  });

  it.each<[string, () => Promise<Ended>, RegExp]>([
    [
      "an unknown key",
      async () => verify(result, ["--key", (await keysIn(folder, "strange")).publicFile, "--no-again"]),
      /^retouch: The receipt is signed with a key that is not known here: \S{43}\.\n$/,
    ],
    ["no key", () => verify(result, ["--no-again"]), /signed with a key that is not known here/],
    [
      "a key that is none",
      () => verify(result, ["--key", SOURCE]),
      /^retouch: .*teapot\.png has no Ed25519 key, in PEM or as JWK\.\n$/,
    ],
    [
      "a key that is not there",
      () => verify(result, ["--key", path.join(folder, "none.pem")]),
      /^retouch: The key .*none\.pem cannot be read: ENOENT.*\.\n$/,
    ],
    [
      "another source",
      () => verify(result, ["--source", OTHER, "--prompt", PROMPT, "--key", keys.publicFile]),
      /^retouch: .*fox\.png is not the picture that was edited: its SHA-256 is another\.\n$/,
    ],
    [
      "no source",
      () => verify(result, ["--prompt", PROMPT, "--key", keys.publicFile]),
      /^retouch: The edit was made of one picture, and 0 are given; --source names each, in their order\.\n$/,
    ],
    [
      "a mask that there was not",
      () => verify(result, [...whole(), "--mask", OTHER]),
      /^retouch: The edit had no mask, and --mask names one\.\n$/,
    ],
    [
      "no instruction",
      () => verify(result, ["--source", SOURCE, "--key", keys.publicFile]),
      /^retouch: The receipt has only a digest of the text that --prompt gives, so it must be given\.\n$/,
    ],
    [
      "another instruction",
      () => verify(result, [...whole(), "--prompt", "Make it day"]),
      /^retouch: --prompt is another text than that of the receipt\.\n$/,
    ],
    [
      "another checkpoint",
      () => verify(result, whole(), { checkpoint: path.join(root, "checkpoints", "tiny") }),
      /^retouch: The edit was made with another checkpoint: plain \(\w{12}\), and this is tiny \(\w{12}\); --checkpoint names the other\.\n$/,
    ],
    [
      "a file without a receipt",
      () => verify(SOURCE, whole()),
      /^retouch: The file has no receipt in it; --receipt names one beside it\.\n$/,
    ],
  ])("refuses %s with one sentence", async (_, run, sentence) => {
    const { code, stdout, stderr } = await run();
    expect([code, stdout.toString()]).toEqual([1, ""]);
    expect(stderr).toMatch(sentence);
  });

  it("refuses a picture or a receipt that was changed", async () => {
    const { xmp } = await sharp(result).metadata();
    const drawn = path.join(folder, "drawn.png");
    await writeFile(drawn, await sharp(result).negate().withXmp(xmp!.toString()).png().toBuffer());
    const refused = await verify(drawn, [...whole(), "--no-again"]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "retouch: The picture was changed since its receipt was made: its pixels are others.\n",
    ]);
    const receipt = path.join(folder, "changed.json");
    const text = await readFile(path.join(folder, "receipt.json"), "utf8");
    await writeFile(receipt, text.replace('"seed": 7', '"seed": 8'));
    const changed = await verify(result, [...whole(), "--receipt", receipt]);
    expect([changed.code, changed.stderr]).toEqual([
      1,
      "retouch: The receipt was changed since it was signed: its signature does not fit.\n",
    ]);
  });

  it("takes an unsigned receipt only where it is told to", async () => {
    const own = await temporaryFolder();
    const output = path.join(own, "unsigned.jpg");
    expect((await quickEdit(SOURCE, { prompt: PROMPT, flags: ["--size", "64x64", "-o", output] })).code).toBe(
      0,
    );
    const refused = await verify(output, ["--source", SOURCE, "--prompt", PROMPT]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "retouch: The receipt is not signed, so anybody may have written it; --unsigned takes it all the same.\n",
    ]);
    const { code, stdout } = await verify(output, ["--source", SOURCE, "--prompt", PROMPT, "--unsigned"]);
    expect(code).toBe(0);
    expect(stdout.toString()).toContain("receipt  not signed\n");
    expect(stdout.toString()).toContain("again    equal");
  });
});
