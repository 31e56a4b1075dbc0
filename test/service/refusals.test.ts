/**
 * What cannot work in an edit of pictures is refused with one sentence, which names the field as each surface does: the
 * library, the wire, the routes for OpenAI's and Replicate's clients, the command, a line of a batch, and the tool.
 */
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEditTool } from "../../src/cli/edit-tool.ts";
import { flagOf } from "../../src/cli/surfaces.ts";
import type { ToolOutput } from "../../src/cli/tool-output.ts";
import { messageOf } from "../../src/errors.ts";
import { createEngine, EDIT_PARAMETERS, type EditParameter, type EditRequest } from "../../src/index.ts";
import { CHECKPOINT, retouch } from "../cli/run.ts";
import { INPUT, KEY, startServer } from "../server/server.ts";
import { root } from "../support/fixtures.ts";

const PICTURE = path.join(root, "examples", "bluebird.png");
const PROMPT = "Make it night";
const SURFACES = ["library", "wire", "openai", "replicate", "command", "batch", "tool"] as const;
type Surface = (typeof SURFACES)[number];
type Field = keyof typeof EDIT_PARAMETERS;
type Fields = Partial<Record<Field, unknown>>;

/** By the library's names; in a sentence each name in braces is the surface's own. */
const REFUSED: readonly [Fields, string][] = [
  [{ numImages: 9 }, "{numImages} must be a whole number from 1 to 8, not 9."],
  [{ numImages: 0 }, "{numImages} must be a whole number from 1 to 8, not 0."],
  [{ strength: 0.5 }, "{strength} must not be given without {mask}."],
  [{ paddingMaskCrop: 5 }, "{paddingMaskCrop} must not be given without {mask}."],
  [{ maskBlur: 5 }, "{maskBlur} must not be given without {mask}."],
  [{ maskFeather: 5 }, "{maskFeather} must not be given without {mask}."],
  [{ maskBlur: 257 }, "{maskBlur} must be a number from 0 to 256, not 257."],
  [{ outputQuality: 101 }, "{outputQuality} must be a whole number from 1 to 100, not 101."],
  [{ imageLayout: "side" }, '{imageLayout} must be auto, index, offset or stitch, not "side".'],
  [{ preserve: "all" }, '{preserve} must be off, exact or auto, not "all".'],
  [{ sampler: "ddim" }, '{sampler} must be euler, heun or dpmpp_2m, not "ddim".'],
  [{ minPsnr: 34 }, "{minPsnr} must not be given without {acceleration}."],
  [{ acceleration: "auto", minPsnr: 61 }, "{minPsnr} must be a number from 30 to 60, not 61."],
  [
    { background: "transparent", format: "jpeg" },
    "{background} must not be transparent: JPEG has no transparency.",
  ],
];

const parameterOf = (field: string): EditParameter =>
  (EDIT_PARAMETERS as Record<string, EditParameter>)[field]!;

function nameOn(surface: Surface, field: string): string {
  const { wire, tool } = parameterOf(field);
  if (surface === "library") return field;
  if (surface === "command") return flagOf(parameterOf(field)) ?? field;
  if (surface === "openai" && field === "numImages") return "n";
  if (surface === "replicate" && field === "numImages") return "num_outputs";
  return (surface === "tool" ? tool : wire) ?? field;
}

const namedOn = (surface: Surface, fields: Fields): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([field, value]) => [nameOn(surface, field), value]));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  await copyFile(PICTURE, path.join(folder, "bird.png"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const REFUSE: Readonly<Record<Surface, (fields: Fields) => Promise<string>>> = {
  async library(fields) {
    const engine = await createEngine({ checkpoint: CHECKPOINT, threads: 1 });
    const image = await sharp(PICTURE).resize(32, 32).png().toBuffer();
    try {
      return await engine.edit({ image, prompt: PROMPT, ...(fields as Partial<EditRequest>) }).then(
        () => "",
        (error: unknown) => messageOf(error),
      );
    } finally {
      await engine.close();
    }
  },
  async wire(fields) {
    const server = await startServer();
    const input = { ...INPUT, prompt: PROMPT, ...namedOn("wire", fields) };
    const response = await server.call("POST", "/run", { body: { input } });
    expect([response.statusCode, server.jobs.submitted]).toEqual([400, []]);
    return response.json<{ error: string }>().error;
  },
  async openai(fields) {
    const server = await startServer();
    const response = await server.app.inject({
      method: "POST",
      url: "/v1/images/edits",
      headers: { authorization: `Bearer ${KEY}` },
      payload: {
        // The transparency of a single one might be the mask.
        images: ["bird", "hat"].map((name) => ({ image_url: `https://pictures.example/${name}.png` })),
        image_layout: "index",
        prompt: PROMPT,
        ...namedOn("openai", fields),
      },
    });
    expect([response.statusCode, server.jobs.submitted]).toEqual([400, []]);
    return response.json<{ error: { message: string } }>().error.message;
  },
  async replicate(fields) {
    const server = await startServer();
    const response = await server.app.inject({
      method: "POST",
      url: "/replicate/v1/models/black-forest-labs/flux-kontext-dev/predictions",
      headers: { authorization: `Bearer ${KEY}` },
      payload: { input: { ...INPUT, prompt: PROMPT, ...namedOn("replicate", fields) } },
    });
    expect([response.statusCode, server.jobs.submitted]).toEqual([422, []]);
    return response.json<{ detail: string }>().detail;
  },
  async command(fields) {
    const flags = Object.entries(namedOn("command", fields)).flatMap(([flag, value]) => [
      flag,
      String(value),
    ]);
    const args = ["edit", "bird.png", PROMPT, "--checkpoint", CHECKPOINT, "-o", "night.out", ...flags];
    const { code, stderr } = await retouch(
      fields.format === undefined ? [...args, "--format", "png"] : args,
      { cwd: folder },
    );
    expect(code).not.toBe(0);
    return stderr.replace(/^retouch: /, "").trimEnd();
  },
  async batch(fields) {
    const line = { image: "bird.png", prompt: PROMPT, ...namedOn("batch", fields) };
    await writeFile(path.join(folder, "jobs.jsonl"), JSON.stringify(line));
    const { code, stderr } = await retouch(["batch", "jobs.jsonl", "-o", "out", "--checkpoint", CHECKPOINT], {
      cwd: folder,
    });
    expect(code).not.toBe(0);
    return /Line 1: (.*)/.exec(stderr)?.[1] ?? stderr;
  },
  async tool(fields) {
    const never = (): never => {
      throw new Error("It was not refused.");
    };
    const tool = createEditTool({
      load: never,
      loras: [],
      access: {} as never,
      results: { check: async () => {}, checkRoom: async () => {} } as unknown as ToolOutput,
    });
    const given = { image: "bird.png", instruction: PROMPT, ...namedOn("tool", fields) };
    return tool.call(given, { signal: new AbortController().signal, onStep: () => {} }).then(
      () => "",
      (error: unknown) => messageOf(error),
    );
  },
};

describe.each(SURFACES)("%s", (surface) => {
  it.each(REFUSED)("refuses %j", async (fields, sentence) => {
    const expected = sentence.replaceAll(/\{(\w+)\}/g, (_, field: string) => nameOn(surface, field));
    // Schemas answer on HTTP, which do not repeat what was sent.
    const isByHttp = surface === "wire" || surface === "openai" || surface === "replicate";
    expect(await REFUSE[surface](fields)).toBe(isByHttp ? expected.replace(/, not \S+\.$/, ".") : expected);
  });
});
