import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Progress } from "@modelcontextprotocol/sdk/types.js";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { fixtures } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { CHECKPOINT, ONE_THREAD, retouch } from "./run.ts";

const program = fileURLToPath(new URL("../../bin/retouch.js", import.meta.url));
const BIRD = fileURLToPath(new URL("../../examples/bluebird.png", import.meta.url));
const INSTRUCTION = "Make it night";

interface Content {
  type: string;
  text: string;
  data: string;
  mimeType: string;
}

interface Called {
  isError?: boolean;
  content: Content[];
}

describe("retouch mcp", () => {
  let folder: string;
  let client: Client;
  let transport: StdioClientTransport;
  let stderr = "";
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
    await copyFile(BIRD, path.join(folder, "bluebird.png"));
    await writeFile(path.join(folder, "notes.txt"), "no picture");
    client = new Client({ name: "a test", version: "1.0.0" });
    transport = new StdioClientTransport({
      command: process.execPath,
      args: [program, "mcp", "--checkpoint", CHECKPOINT, "--no-safety-checker", ...ONE_THREAD],
      cwd: folder,
      stderr: "pipe",
    });
    transport.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await client.connect(transport);
  });
  afterAll(async () => {
    await client.close();
    await rm(folder, { recursive: true, force: true });
    expect(stderr).toBe("");
  });

  async function edit(
    given: object,
    options: { signal?: AbortSignal; onprogress?: (progress: Progress) => void } = {},
  ): Promise<Called> {
    const arguments_ = { image: "bluebird.png", instruction: INSTRUCTION, size: "64x48", steps: 2, ...given };
    const called = await client.callTool({ name: "edit_image", arguments: arguments_ }, undefined, options);
    return called as unknown as Called;
  }
  const files = async (): Promise<string[]> =>
    (await readdir(folder)).filter((name) => name.includes(".edited")).toSorted();
  const refused = async (given: object): Promise<string> => {
    const { isError, content } = await edit(given);
    expect([isError, content.length, content[0]!.type]).toEqual([true, 1, "text"]);
    return content[0]!.text;
  };

  it("has one tool, with the ranges of what it takes", async () => {
    expect(client.getServerVersion()).toMatchObject({ name: "retouch" });
    const { tools } = await client.listTools();
    expect(tools).toHaveLength(1);
    expect(tools[0]).toMatchObject({
      name: "edit_image",
      inputSchema: {
        required: ["instruction"],
        additionalProperties: false,
        properties: {
          image: { type: ["string", "array"], items: { type: "string" }, minItems: 1, maxItems: 16 },
          steps: { type: ["integer", "string"], pattern: "^auto$", minimum: 1, maximum: 50, default: 28 },
          format: { enum: ["png", "jpeg", "webp", "avif"] },
          quality: { type: "integer", minimum: 1, maximum: 100 },
          background: { type: "string", default: "auto" },
        },
      },
      annotations: { readOnlyHint: false, destructiveHint: true },
    });
  });

  it.each([
    ["plain", 4, 1, /It has no effect on this model, which was distilled to do without it\.$/],
    ["odd", 50, 4, /^How closely the prompt is followed\.$/],
  ])("has the defaults of klein's checkpoint %s", async (name, steps, guidance, description) => {
    const other = new Client({ name: "a test", version: "1.0.0" });
    const checkpoint = path.join(fixtures, "klein", "checkpoints", name);
    await other.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [program, "mcp", "--checkpoint", checkpoint],
        cwd: folder,
      }),
    );
    onTestFinished(() => other.close());
    const { properties } = (await other.listTools()).tools[0]!.inputSchema;
    expect(properties).toMatchObject({
      steps: { default: steps },
      guidance: { default: guidance, description: expect.stringMatching(description) },
      size_rule: { enum: ["exact", "diffusers"], default: "exact" },
    });
  });

  it("edits inside a mask, and writes what of each result was copied and drawn", async () => {
    const half = { create: { width: 1024, height: 512, channels: 3, background: "#ffffff" } } as const;
    await sharp({ create: { width: 1024, height: 1024, channels: 3, background: "#000000" } })
      .composite([{ input: await sharp(half).png().toBuffer(), left: 0, top: 512 }])
      .toFile(path.join(folder, "lower.png"));
    const { isError, content } = await edit({
      mask: "lower.png",
      size: "64x64",
      num_images: 2,
      output: "masked.png",
      mask_output: "map.png",
    });
    expect([isError, content.at(-1)!.text]).toEqual([undefined, expect.any(String)]);
    for (const number of [1, 2]) {
      expect(content.at(-1)!.text).toContain(`map-${number}.png`);
      const { data, info } = await sharp(path.join(folder, `map-${number}.png`))
        .toColourspace("b-w")
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect([info.width, info.height]).toEqual([64, 64]);
      expect(data.subarray(0, 64 * 28).every((value) => value === 255)).toBe(true);
      expect(existsSync(path.join(folder, `masked-${number}.png`))).toBe(true);
    }
  });

  it("edits a picture, tells its steps, writes the result and shows it", async () => {
    const steps: Progress[] = [];
    const { isError, content } = await edit({ seed: 7 }, { onprogress: (progress) => steps.push(progress) });
    expect(isError).toBeUndefined();
    expect(steps).toEqual([
      { progress: 1, total: 2, message: "Step 1 of 2" },
      { progress: 2, total: 2, message: "Step 2 of 2" },
    ]);
    const file = path.join(folder, "bluebird.edited.png");
    const written = await readFile(file);
    expect(await sharp(written).metadata()).toMatchObject({ format: "png", width: 64, height: 48 });
    expect(content.map(({ type }) => type)).toEqual(["image", "text"]);
    expect(content[0]).toMatchObject({ mimeType: "image/png", data: written.toString("base64") });
    const lines = content[1]!.text.split("\n").map((line) => line.split(/ {2,}/));
    expect(Object.fromEntries(lines)).toMatchObject({
      picture: file,
      format: "PNG",
      seed: "7",
      prompt: INSTRUCTION,
      steps: "2",
    });
  });

  it("writes and shows several results, and counts their steps together", async () => {
    const steps: number[] = [];
    const output = path.join("several", "night.png");
    const { content } = await edit(
      { seed: 7, num_images: 3, output },
      { onprogress: ({ progress, total }) => steps.push(progress, total!) },
    );
    expect(steps).toEqual([1, 6, 2, 6, 3, 6, 4, 6, 5, 6, 6, 6]);
    expect(content.map(({ type }) => type)).toEqual(["image", "image", "image", "text"]);
    for (const [index, { data }] of content.slice(0, 3).entries()) {
      const file = path.join(folder, "several", `night-${index + 1}.png`);
      expect((await readFile(file)).toString("base64")).toBe(data);
      expect(content[3]!.text).toContain(file);
    }
    expect(content[3]!.text).toMatch(/seed +7, 8, 9\n/);
    // They are this server's own, and may be replaced; another program's may not.
    await edit({ seed: 1, num_images: 2, output });
    await writeFile(path.join(folder, "several", "day-2.png"), "mine");
    expect(await refused({ num_images: 2, output: path.join("several", "day.png") })).toMatch(
      /day-2\.png already exists/,
    );
    expect((await readdir(path.join(folder, "several"))).toSorted()).toEqual([
      "day-2.png",
      "night-1.png",
      "night-2.png",
      "night-3.png",
    ]);
  });

  it("never takes the name of an earlier result, unless it is given", async () => {
    await edit({ seed: 1 });
    await edit({ seed: 2 });
    expect(await files()).toEqual(["bluebird.edited-2.png", "bluebird.edited-3.png", "bluebird.edited.png"]);
    const output = path.join(folder, "deep", "night.jpg");
    for (const seed of [3, 4]) {
      const { content } = await edit({ seed, output, image: `data:image/png;base64,${await bird()}` });
      expect(content[0]).toMatchObject({
        mimeType: "image/jpeg",
        data: (await readFile(output)).toString("base64"),
      });
    }
    expect(await readdir(path.dirname(output))).toEqual(["night.jpg"]);
  });

  it("does calls at the same time one after the other, each with a file of its own", async () => {
    const before = (await files()).length;
    const called = await Promise.all([1, 2, 3].map((seed) => edit({ seed })));
    expect(new Set(called.map(({ content }) => content[0]!.data)).size).toBe(3);
    expect((await files()).length).toBe(before + 3);
  });

  it("shows a smaller picture where the result is too large for a conversation", async () => {
    const output = path.join(folder, "large.png");
    const { content } = await edit({ size: "1536x1024", output });
    expect(await sharp(output).metadata()).toMatchObject({ width: 1536, height: 1024 });
    expect((await readFile(output)).byteLength).toBeGreaterThan(700_000);
    expect(content[0]!.mimeType).toBe("image/jpeg");
    const shown = Buffer.from(content[0]!.data, "base64");
    expect(await sharp(shown).metadata()).toMatchObject({ format: "jpeg", width: 1024, height: 683 });
  });

  it("ends an edit that is cancelled within a step, writes nothing, and takes the next", async () => {
    const controller = new AbortController();
    const output = path.join(folder, "cancelled.png");
    const steps: number[] = [];
    const cancelled = edit(
      { steps: 50, size: "1024x1024", output },
      {
        signal: controller.signal,
        onprogress({ progress }) {
          steps.push(progress);
          controller.abort("enough");
        },
      },
    );
    await expect(cancelled).rejects.toThrow("enough");
    expect((await edit({ output: path.join(folder, "next.png") })).isError).toBeUndefined();
    expect(steps.length).toBeLessThan(5);
    expect(existsSync(output)).toBe(false);
  });

  it.each<[object, string]>([
    [{ image: undefined }, "image is missing."],
    [{ image: 5 }, "image must be a string, or a list of at most 16 strings."],
    [{ image: "none.png" }, "none.png cannot be read: there is no such file."],
    [{ image: "-" }, "image must not be -: it is this connection."],
    [{ image: "notes.txt" }, "notes.txt is not an image; JPEG, PNG, WebP, AVIF, GIF and TIFF are accepted."],
    [{ instruction: " " }, "instruction must not be empty."],
    [{ steps: 51 }, "steps must be a whole number from 1 to 50, not 51."],
    [{ steps: "2" }, "steps must be a whole number from 1 to 50, not 2."],
    [{ size: "big" }, 'size must be a width and a height such as 1024x768, auto or source, not "big".'],
    [{ size: "8x64" }, "the width in size must be a whole number from 16 to 4096, not 8."],
    [{ format: "gif" }, 'format must be png, jpeg, webp or avif, not "gif".'],
    [{ format: "png", output: "a.jpg" }, "format png contradicts the name in output a.jpg."],
    [
      { output: "a.gif" },
      "output a.gif does not end in .png, .jpg, .webp or .avif (or give the format with format).",
    ],
    [{ output: "-" }, "output must not be -: it is this connection."],
    [{ keep_unchanged: "yes" }, 'keep_unchanged must be true or false, not "yes".'],
    [{ masks: "m.png" }, "masks is not an argument of this tool."],
    [{ strength: 0.5 }, "strength must not be given without mask."],
    [{ mask_output: "map.jpg" }, "mask_output must be a file whose name ends in .png."],
    [{ mask_output: "same.png", output: "same.png" }, "mask_output must be another file than the result's."],
    [{ mask_output: "notes.txt" }, "mask_output must be a file whose name ends in .png."],
    [
      { mask_output: "bluebird.png" },
      "mask_output bluebird.png already exists, and this server did not write it or it has been changed since; choose another name (retouch mcp --overwrite replaces it).",
    ],
    [{ mask_output: "map.png", preserve: "off" }, "mask_output is not supported: nothing is preserved."],
    [
      { image: ["bluebird.png", "bluebird.png", "bluebird.png"], mask: "m.png" },
      "mask: it goes with the image to edit and at most one to look at, and there are 3.",
    ],
    [{ num_images: 9 }, "num_images must be a whole number from 1 to 8, not 9."],
    [{ mask: "missing.png", strength: 0 }, "strength must be a number above 0, not 0."],
    [{ loras: [{ name: "peft" }] }, "loras is not an argument of this tool."],
  ])("says in one sentence what is wrong with %j", async (given, sentence) => {
    expect(await refused(given)).toBe(sentence);
  });

  it("knows no other tool", async () => {
    const called = await client.callTool({ name: "paint" });
    expect(called).toEqual({
      isError: true,
      content: [{ type: "text", text: "There is one tool, edit_image." }],
    });
  });
});

describe("retouch mcp with a history", () => {
  it("edits from the original, which must be in its folder, too", async () => {
    const folder = await temporaryFolder();
    await copyFile(BIRD, path.join(folder, "bluebird.png"));
    const client = new Client({ name: "a test", version: "1.0.0" });
    const flags = ["--history", "--checkpoint", CHECKPOINT, "--no-safety-checker", ...ONE_THREAD];
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [program, "mcp", ...flags],
        cwd: folder,
        env: { ...process.env, RETOUCH_CACHE_DIR: path.join(folder, "cache") } as Record<string, string>,
      }),
    );
    onTestFinished(() => client.close());
    const edit = async (given: object): Promise<string> => {
      const arguments_ = { size: "64x48", steps: 1, seed: 7, preserve: "off", ...given };
      const called = await client.callTool({ name: "edit_image", arguments: arguments_ });
      return (called as unknown as Called).content.at(-1)!.text;
    };
    await edit({ image: "bluebird.png", instruction: "Make it night.", output: "b.png" });
    const second = await edit({ image: "b.png", instruction: "Add snow", output: "c.png" });
    expect(second).toContain("This is edit 2 in a row of one picture; with from_original it is made from");
    const whole = await edit({
      image: "b.png",
      instruction: "Add snow",
      output: "d.png",
      from_original: true,
    });
    expect(whole).toMatch(/^prompt +Make it night, then Add snow$/m);
    await edit({ image: "bluebird.png", instruction: "Make it night, then Add snow", output: "all.png" });
    const [made, all] = await Promise.all(
      ["d.png", "all.png"].map((name) => sharp(path.join(folder, name)).raw().toBuffer()),
    );
    expect(made!.equals(all!)).toBe(true);
    expect(await edit({ image: "bluebird.png", instruction: "Add snow", from_original: true })).toBe(
      "from_original: the image is not a result that was remembered here; RETOUCH_HISTORY=true remembers results.",
    );
    expect(await edit({ image: "b.png", instruction: "Add snow", from_original: 1 })).toBe(
      "from_original must be true or false.",
    );
    // An original that was elsewhere, as the command may have edited it.
    const history = path.join(folder, "cache", "history.jsonl");
    const lines = (await readFile(history, "utf8")).replaceAll(path.join(folder, "bluebird.png"), BIRD);
    await writeFile(history, lines);
    expect(await edit({ image: "b.png", instruction: "Add snow", from_original: true })).toMatch(
      /^image must be in .*, the folder that this server may use/,
    );
    expect(await edit({ image: "b.png", instruction: "Add snow" })).not.toContain("This is edit 2");
  });
});

describe("retouch mcp with LoRAs", () => {
  it("lets the model choose among them, and says which were used", async () => {
    const folder = await temporaryFolder();
    await copyFile(BIRD, path.join(folder, "bird.png"));
    const flags = ["--checkpoint", CHECKPOINT, "--no-safety-checker", "--memory-limit", "4GB", ...ONE_THREAD];
    const loras = ["peft", "xlabs"].map((name) => `--lora=${path.join(fixtures, "loras", name)}.safetensors`);
    const client = new Client({ name: "a test", version: "1.0.0" });
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [program, "mcp", ...flags, ...loras],
        cwd: folder,
      }),
    );
    onTestFinished(() => client.close());
    const [tool] = (await client.listTools()).tools;
    expect(tool!.inputSchema.properties!["loras"]).toMatchObject({
      type: "array",
      maxItems: 4,
      items: {
        required: ["name"],
        properties: { name: { enum: ["peft", "xlabs"] }, scale: { minimum: -10, maximum: 10, default: 1 } },
      },
    });
    const edit = async (given: object): Promise<Called> => {
      const basics = { image: "bird.png", instruction: INSTRUCTION, size: "64x48", steps: 1, seed: 7 };
      const call = { name: "edit_image", arguments: { ...basics, ...given } };
      return (await client.callTool(call)) as unknown as Called;
    };
    const plain = await edit({});
    const styled = await edit({ loras: [{ name: "xlabs", scale: -0.5 }, { name: "peft" }] });
    expect(styled.content[1]!.text).toMatch(/^LoRAs {2,}xlabs \(-0\.5\), peft \(1\)$/m);
    expect(styled.content[0]!.data).not.toBe(plain.content[0]!.data);
    for (const [given, sentence] of [
      [[{ name: "ink" }], 'loras: there is no LoRA "ink"; known are peft, xlabs.'],
      [[{ name: "peft", scale: 11 }], "loras[0].scale must be a number from -10 to 10, not 11."],
      ["peft", "loras must be a list of at most 4."],
    ] as const) {
      const { isError, content } = await edit({ loras: given });
      expect([isError, content[0]!.text]).toEqual([true, sentence]);
    }
  });
});

describe("retouch mcp as a process", () => {
  it("writes nothing of its own to standard output, and ends with its input", async () => {
    const { code, stdout, stderr } = await retouch(["mcp"], { input: Buffer.from("") });
    expect([code, stdout.toString(), stderr]).toEqual([0, "", ""]);
  });

  it("stays in order after what is no message, and tells of a checkpoint that is not there", async () => {
    const folder = await temporaryFolder();
    await copyFile(BIRD, path.join(folder, "bird.png"));
    const messages = [
      "nonsense",
      {
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: {
          protocolVersion: "2025-11-25",
          capabilities: {},
          clientInfo: { name: "a test", version: "1" },
        },
      },
      { jsonrpc: "2.0", method: "notifications/initialized" },
      {
        jsonrpc: "2.0",
        id: 2,
        method: "tools/call",
        params: { name: "edit_image", arguments: { image: "bird.png", instruction: INSTRUCTION } },
      },
    ];
    const lines = messages.map((message) =>
      typeof message === "string" ? message : JSON.stringify(message),
    );
    const answers: { id: number; result: Called }[] = [];
    const { code } = await retouch(["mcp", "--checkpoint", folder], {
      cwd: folder,
      onStart(child) {
        let text = "";
        child.stdout!.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          const whole = text.split("\n").slice(0, -1);
          for (const line of whole.slice(answers.length)) answers.push(JSON.parse(line) as never);
          if (answers.length === 2) child.stdin!.end();
        });
        child.stdin!.write(`${lines.join("\n")}\n`);
      },
    });
    expect(code).toBe(0);
    expect(answers.map(({ id }) => id)).toEqual([1, 2]);
    expect(answers[1]!.result.isError).toBe(true);
    expect(answers[1]!.result.content[0]!.text).toMatch(/^[^\n]*model_index\.json[^\n]*\.$/);
  });
});

const bird = async (): Promise<string> => (await readFile(BIRD)).toString("base64");
