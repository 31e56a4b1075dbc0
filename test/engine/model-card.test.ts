/** What a checkpoint says of itself: read with limits, left alone by its digest, absent in most folders. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointDigest } from "../../src/engine/identity.ts";
import { readModelCard } from "../../src/engine/model-card.ts";
import { SHIPPED_CHECKPOINT } from "../../src/engine/shipped.ts";
import { openCheckpoint } from "../../src/pipelines/index.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

const CARD = {
  title: "Small",
  summary: "It draws.",
  native_side: 64,
  suggestions: [{ instruction: "Make it night", suits_any: true }, { instruction: "Make it snow" }],
};

async function folderWith(card: unknown): Promise<string> {
  const folder = await copyOfCheckpoint("plain");
  await writeFile(path.join(folder, "retouch.json"), JSON.stringify(card));
  return folder;
}

const cardOf = async (card: unknown) => readModelCard(await Checkpoint.open(await folderWith(card)));

describe("a checkpoint's card", () => {
  it("is read whole", async () => {
    expect(await cardOf({ ...CARD, photographs: "None." })).toEqual({
      title: "Small",
      summary: "It draws.",
      nativeSide: 64,
      photographs: "None.",
      suggestions: [
        { instruction: "Make it night", suitsAny: true },
        { instruction: "Make it snow", suitsAny: false },
      ],
    });
  });

  it("may be absent", async () => {
    expect(await readModelCard(await Checkpoint.open(await copyOfCheckpoint("plain")))).toBeUndefined();
  });

  it("is no part of the checkpoint's digest", async () => {
    const plain = await checkpointDigest(await copyOfCheckpoint("plain"), {});
    expect(await checkpointDigest(await folderWith(CARD), {})).toBe(plain);
  });

  it.each<[string, object]>([
    ["title", { title: undefined }],
    ["title", { title: " " }],
    ["title", { title: "x".repeat(81) }],
    ["summary", { summary: 1 }],
    ["summary", { summary: "x".repeat(401) }],
    ["photographs", { photographs: ["soft"] }],
    ["native_side", { native_side: 0 }],
    ["suggestions", { suggestions: undefined }],
    ["suggestions", { suggestions: {} }],
    ["suggestions", { suggestions: [{}] }],
    ["suggestions", { suggestions: [{ instruction: "" }] }],
    ["suggestions", { suggestions: [{ instruction: "x".repeat(201) }] }],
    ["suggestions", { suggestions: [{ instruction: "x", suits_any: "yes" }] }],
    ["suggestions", { suggestions: Array.from({ length: 41 }, () => ({ instruction: "x" })) }],
  ])("with a wrong %s is refused, naming file and field: %j", async (field, wrong) => {
    const error = await cardOf({ ...CARD, ...wrong }).catch((caught: unknown) => caught);
    expect(error).toEqual(refusal("CHECKPOINT_INVALID", /retouch\.json, \w+ must be/));
    expect((error as Error).message).toContain(`, ${field} must be`);
  });

  it("of the shipped checkpoint says that it does not know photographs, and what it can do with them", async () => {
    const { card } = await openCheckpoint(SHIPPED_CHECKPOINT);
    expect(card).toMatchObject({ nativeSide: 128, photographs: expect.stringContaining("photographs") });
    expect(card!.suggestions.filter(({ suitsAny }) => suitsAny)).not.toEqual([]);
  });
});
