/** The worker of our side: edits one case after the other as the engine does, and compares with the reference's results. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { decibelsOf } from "./decibels.ts";
import { editDrawn } from "./edit-drawn.ts";
import type { DrawnCase, OurAnswer } from "./protocol.ts";
import { RetouchError } from "../../../src/errors.ts";

const LARGEST_BYTE = 255;

async function answer({ folder, edit, refusal }: DrawnCase): Promise<OurAnswer> {
  const sources = edit.references.map(([width, height], index) => ({
    width,
    height,
    data: readFileSync(path.join(folder, `source.${index}`)),
  }));
  const expected = refusal === undefined ? readFloats(path.join(folder, "reference.latents")) : undefined;
  if (expected && !expected.every(Number.isFinite)) return { ran: true, ...NO_NUMBERS, notices: [] };
  try {
    const { latents, picture, notices } = await editDrawn(folder, edit, sources);
    if (!expected) return { ran: true, ...NO_NUMBERS, notices };
    const pixels = readFileSync(path.join(folder, "reference.picture"));
    return {
      ran: true,
      latents: decibelsOf(latents, expected),
      picture: decibelsOf(picture.data, pixels, LARGEST_BYTE),
      notices,
    };
  } catch (error) {
    if (error instanceof RetouchError && error.code !== "RUNTIME_FAILED") {
      return { ran: false, refusal: `${error.code}: ${error.message.replaceAll(`${folder}/`, "")}` };
    }
    return { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

const NO_NUMBERS = { latents: "none", picture: "none" } as const;

function readFloats(file: string): Float32Array {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...drawn } = JSON.parse(line) as DrawnCase & { id: number };
  console.log(JSON.stringify({ id, ...(await answer(drawn)) }));
}
