import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gradient, sharpOf } from "../images/samples.ts";
import { fixtures } from "../support/fixtures.ts";
import { CHECKPOINT, type Ended, ONE_THREAD, quickEdit, retouch, type RunOptions } from "./run.ts";

let folder: string;
let bird: Buffer;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-cli-"));
  bird = await sharpOf(gradient(60, 44)).jpeg().toBuffer();
  await writeFile(path.join(folder, "bird.jpg"), bird);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A quick edit in the test's folder; flags may override its own. */
const edit = (image: string, flags: string[] = [], options: RunOptions = {}): Promise<Ended> =>
  quickEdit(image, { flags }, { cwd: folder, ...options });

describe("retouch edit with FLUX.2 [klein]", () => {
  const klein = path.join(fixtures, "klein", "checkpoints", "plain");

  it("takes the sizes of diffusers and looks at the image once, where it is asked to", async () => {
    const draw = async (flags: string[]) => {
      const args = ["edit", "bird.jpg", "Make it night", "--checkpoint", klein, "--seed", "7"];
      const { code, stdout, stderr } = await retouch(
        [...args, "--no-safety-checker", "--no-keep-unchanged", "--json", ...ONE_THREAD, ...flags],
        { cwd: folder },
      );
      expect([code, stderr]).toEqual([0, ""]);
      const line = JSON.parse(stdout.toString()) as Record<string, never>;
      return { ...line, pixels: await sharp(path.join(folder, "bird.edited.png")).raw().toBuffer() };
    };
    const own = await draw([]);
    expect(own).toMatchObject({ width: 60, height: 44, parameters: { numSteps: 4, sizeRule: "exact" } });
    const diffusers = await draw(["--size-rule", "diffusers"]);
    expect(diffusers).toMatchObject({ width: 48, height: 32, parameters: { sizeRule: "diffusers" } });
    const kept = await draw(["--reference-cache", "approximate"]);
    expect(kept).toMatchObject({ width: 60, height: 44 });
    expect(kept.pixels).not.toEqual(own.pixels);
  });

  it("says that guidance has no effect", async () => {
    const { code, stderr } = await edit("bird.jpg", [
      "--checkpoint",
      klein,
      "--guidance",
      "4",
      "--no-safety-checker",
    ]);
    expect([code, stderr]).toEqual([
      0,
      "retouch: Guidance has no effect on this model, which was distilled to do without it.\n",
    ]);
  });
});

describe("retouch edit", () => {
  it("writes beside nothing else NAME.edited.png of the picture's size and prints every parameter", async () => {
    const { code, stdout, stderr } = await edit("bird.jpg", [
      "--guidance",
      "2.5",
      "--negative-prompt",
      "rain\nand fog",
      "--device",
      "cpu",
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(await readdir(folder)).toEqual(["bird.edited.png", "bird.jpg"]);
    expect(await readFile(path.join(folder, "bird.jpg"))).toEqual(bird);
    const written = await sharp(path.join(folder, "bird.edited.png")).metadata();
    expect(written).toMatchObject({ format: "png", width: 60, height: 44 });
    expect(written.xmpAsString).toContain('retouch:seed="7"');

    const lines = stdout.toString().trimEnd().split("\n");
    expect(new Set(lines.map((line) => line.slice(15, 17)))).toEqual(new Set(["  "]));
    expect(lines.map((line) => line.replace(/ {2,}/, ": "))).toEqual([
      "picture: bird.edited.png",
      "format: PNG",
      expect.stringMatching(/^size: 60 x 44 \(drawn at \d+ x \d+, source seen at \d+ x \d+\)$/),
      "seed: 7",
      "prompt: Make it night",
      "negative prompt: rain and fog",
      "true CFG scale: 2",
      "steps: 1",
      "guidance: 2.5",
      "checkpoint: plain",
      "weights: fp32",
      "arithmetic: fp32",
      "device: cpu (as asked)",
      expect.stringMatching(/^kept: \d+\.\d % of the image, where nothing was edited/),
      expect.stringMatching(/^safety check: passed \(score 0\.\d{3} of 0\.7\)$/),
      expect.stringMatching(/^time: \d+\.\d\d s, of which \d+\.\d\d s denoising$/),
    ]);
  });

  it("says what else was chosen of the recipe", async () => {
    const flags = ["--prompt-2", "Make it a dark night", "--max-sequence-length", "30", "--sigmas", "1,0.5"];
    const { code, stdout, stderr } = await edit("bird.jpg", [...flags, "--use-empty-negative-prompt"]);
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.toString().split("\n");
    expect(lines.map((line) => line.replace(/ {2,}/, ": "))).toEqual(
      expect.arrayContaining([
        "prompt 2: Make it a dark night",
        "text tokens: 30",
        "negative prompt: empty",
        "true CFG scale: 2",
        "steps: 2",
        "sigmas: 1, 0.5",
      ]),
    );
    const written = await sharp(path.join(folder, "bird.edited.png")).metadata();
    expect(written.xmpAsString).toContain('retouch:sigmas="1 0.5"');
    expect(written.xmpAsString).toContain('retouch:maxSequenceLength="30"');
    expect(written.xmpAsString).not.toContain("dark");
  });

  it("puts LoRAs on top of the checkpoint, names them and says what they do beside their scale", async () => {
    const loraOf = (name: string): string => path.join(fixtures, "loras", `${name}.safetensors`);
    const loras = ["--lora", `${loraOf("peft")}:0.5`, "--lora", loraOf("control")];
    const { code, stdout, stderr } = await edit("bird.jpg", [...loras, "--no-keep-unchanged"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^retouch: The LoRA control replaces the weights of 12 norms, which its scale does not change\.\n$/,
    );
    expect(stdout.toString()).toMatch(/^LoRAs {2,}peft \(0\.5\), control \(1\)$/m);
    const file = path.join(folder, "bird.edited.png");
    expect((await sharp(file).metadata()).xmpAsString).toContain('retouch:loras="peft:0.5 control:1"');
    const withLoras = await sharp(file).raw().toBuffer();
    expect((await edit("bird.jpg", ["--no-keep-unchanged"])).code).toBe(0);
    expect((await sharp(file).raw().toBuffer()).equals(withLoras)).toBe(false);
  });

  it("is refused with a LoRA that is not there, before anything is loaded", async () => {
    const { code, stderr } = await edit("bird.jpg", ["--lora", "none.safetensors:2"]);
    expect([code, stderr]).toEqual([1, "retouch: The LoRA file none.safetensors cannot be opened.\n"]);
  });

  it("is refused with more than four LoRAs", async () => {
    const loras = Array.from({ length: 5 }, () => ["--lora", "ink.safetensors"]).flat();
    const { code, stderr } = await edit("bird.jpg", loras);
    expect(code).toBe(2);
    expect(stderr).toContain("--lora must be a list of at most 4.");
  });

  it("gives the same picture with single files in the place of transformer and autoencoder", async () => {
    const files = path.join(fixtures, "single-files");
    const single = [
      `--transformer=${path.join(files, "plain.safetensors")}`,
      `--vae=${path.join(files, "plain-ae.safetensors")}`,
    ];
    const ended = await edit("bird.jpg", ["-o", "single.png", "--json", ...single]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(JSON.parse(ended.stdout.toString())).toMatchObject({ checkpoint: "plain" });
    await edit("bird.jpg", ["-o", "folder.png"]);
    const [ofFiles, ofFolder] = await Promise.all(
      ["single.png", "folder.png"].map((name) => sharp(path.join(folder, name)).raw().toBuffer()),
    );
    expect(ofFiles).toEqual(ofFolder);

    const swapped = await edit("bird.jpg", [`--transformer=${path.join(files, "plain-ae.safetensors")}`]);
    expect([swapped.code, swapped.stderr]).toEqual([
      1,
      `retouch: The weights file ${path.join(files, "plain-ae.safetensors")} is an autoencoder, and a transformer is wanted.\n`,
    ]);
    const noT5 = await edit("bird.jpg", [`--text-encoder=${path.join(files, "plain-ae.safetensors")}`]);
    expect(noT5.code).toBe(1);
    expect(noT5.stderr).toMatch(
      /^retouch: The weights file .*plain-ae\.safetensors is an autoencoder, and a T5 encoder is wanted\.$/m,
    );
  });

  it("repeats an edit exactly by its seed, and chooses one where none is given", async () => {
    const seeds = ["--seed", "-1"];
    const first = JSON.parse((await edit("bird.jpg", [...seeds, "--json", "-o", "1.png"])).stdout.toString());
    const { seed } = first.parameters;
    expect(seed).toBeGreaterThanOrEqual(0);
    await edit("bird.jpg", ["--seed", String(seed), "-o", "2.png"]);
    await edit("bird.jpg", ["--seed", String(seed + 1), "-o", "3.png"]);
    const [one, two, three] = await Promise.all(
      [1, 2, 3].map((i) => readFile(path.join(folder, `${i}.png`))),
    );
    expect(two).toEqual(one);
    expect(three).not.toEqual(one);
  });

  it("prints one line of JSON with --json, and nothing with --quiet", async () => {
    const { code, stdout, stderr } = await edit("bird.jpg", ["--json", "-o", "out/a.jpg", "--size", "48*32"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.toString()).toMatch(/^\{.*\}\n$/);
    const image = await readFile(path.join(folder, "out/a.jpg"));
    expect(JSON.parse(stdout.toString())).toMatchObject({
      output: "out/a.jpg",
      checkpoint: "plain",
      bytes: image.length,
      format: "jpeg",
      width: 48,
      height: 32,
      parameters: {
        prompt: "Make it night",
        negativePrompt: "",
        trueCfgScale: 1,
        size: { width: 48, height: 32 },
        numSteps: 1,
        guidance: 2,
        seed: 7,
        format: "jpeg",
      },
      workingSize: { width: expect.any(Number), height: expect.any(Number) },
      referenceSize: { width: expect.any(Number), height: expect.any(Number) },
      kept: {
        changedShare: expect.any(Number),
        shares: { kept: expect.any(Number), carried: expect.any(Number), drawn: expect.any(Number) },
      },
      notices: [],
      seconds: { total: expect.any(Number), denoise: expect.any(Number), parts: expect.any(Object) },
    });
    expect(await sharp(image).metadata()).toMatchObject({ format: "jpeg", width: 48, height: 32 });

    const quiet = await edit("bird.jpg", ["--quiet", "-o", "b.png"]);
    expect(quiet).toMatchObject({ code: 0, stderr: "", stdout: Buffer.alloc(0) });
  });

  it("keeps what was not edited unless told otherwise or where the shapes differ, and says so", async () => {
    const rowOf = ({ stdout }: Ended): string => /^kept +(.*)$/m.exec(stdout.toString())![1]!;
    const off = await edit("bird.jpg", ["--no-keep-unchanged"]);
    expect([rowOf(off), off.stderr]).toEqual(["off", ""]);
    expect(rowOf(await edit("bird.jpg", ["--keep-unchanged"]))).toMatch(/^\d+\.\d % of the image/);
    const other = await edit("bird.jpg", ["--size", "16x64"]);
    expect(rowOf(other)).toBe("nothing, because the result and the image differ in shape");
    expect(other.stderr).toBe(
      "retouch: What was not edited could not be kept, because the image and the result differ in shape.\n",
    );
  });

  it.each([
    [["-o", "a.JPEG"], "a.JPEG", "jpeg"],
    [["-o", "a", "--format", "jpeg"], "a", "jpeg"],
    [["-o", "a.dat", "--format", "png"], "a.dat", "png"],
    [["-o", "a"], "a", "png"],
    [["--format", "jpeg"], "bird.edited.jpg", "jpeg"],
  ])("chooses name and format by %j", async (flags, name, format) => {
    expect((await edit("bird.jpg", flags)).stderr).toBe("");
    expect((await sharp(path.join(folder, name)).metadata()).format).toBe(format);
  });

  it("reads standard input and writes standard output, which then holds nothing else", async () => {
    const { code, stdout, stderr } = await edit("-", ["-o", "-"], { input: bird });
    expect(code).toBe(0);
    expect((await sharp(stdout).metadata()).format).toBe("png");
    expect(stderr).toMatch(/^picture +standard output\nformat +PNG\n/);
    expect(await readdir(folder)).toEqual(["bird.jpg"]);
  });

  it("takes standard input, an address and a data URL, and calls the result edited.png", async () => {
    const server = createServer((_, response) => response.end(bird));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bird.jpg`;
    try {
      for (const image of ["-", address, `data:image/jpeg;base64,${bird.toString("base64")}`]) {
        const { code, stderr } = await edit(image, [], { input: bird });
        expect([code, stderr]).toEqual([0, ""]);
        await rm(path.join(folder, "edited.png"));
      }
    } finally {
      server.close();
    }
  });

  it("replaces an earlier result", async () => {
    await mkdir(path.join(folder, "out"));
    await writeFile(path.join(folder, "out/a.png"), "old");
    expect((await edit("bird.jpg", ["-o", "out/a.png"])).code).toBe(0);
    expect((await sharp(path.join(folder, "out/a.png")).metadata()).format).toBe("png");
    expect(await readdir(path.join(folder, "out"))).toEqual(["a.png"]);
  });

  it("says on stderr that a prompt was cut", async () => {
    const args = ["edit", "bird.jpg", "bird ".repeat(700), "--checkpoint", CHECKPOINT, "--steps", "1"];
    const { code, stdout, stderr } = await retouch([...args, "--json"], { cwd: folder });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^retouch: The prompt is longer than the \d+ tokens .*\.\n$/);
    expect(JSON.parse(stdout.toString()).notices).toEqual([stderr.slice("retouch: ".length, -1)]);
  });

  it("says once that the checkpoint that ships is a demo", async () => {
    const args = ["edit", "bird.jpg", "Make it night", "--steps", "1"];
    const { code, stderr } = await retouch(args, { cwd: folder });
    expect(code).toBe(0);
    expect(stderr).toBe(
      "retouch: This is a small demo model for clip-art scenes; for photographs, use the published weights (--checkpoint DIR).\n",
    );
    expect((await retouch([...args, "--quiet"], { cwd: folder })).stderr).toBe("");
  });
});
