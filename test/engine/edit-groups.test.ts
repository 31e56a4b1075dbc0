/** Edits that run in one turn: the same bytes as alone, and none that suffers from another. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createEngine, type EditRequest, type EditResult, type Engine } from "../../src/index.ts";
import { EditGroup } from "../../src/engine/edit-group.ts";
import type { EditOptions } from "../../src/engine/edit-options.ts";
import { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { sha256 } from "../../src/sha256.ts";
import { fixtures } from "../support/fixtures.ts";

const checkpoint = path.join(fixtures, "checkpoints", "plain");
const loras = {
  peft: path.join(fixtures, "loras", "peft.safetensors"),
  other: path.join(fixtures, "loras", "kohya.safetensors"),
};

let alone: Engine;
let together: Engine;
let base: EditRequest;
let mirrored: Uint8Array;
beforeAll(async () => {
  const open = (batch: number): Promise<Engine> =>
    createEngine({ checkpoint, threads: 1, weights: "fp32", safety: { isOn: false }, loras, batch });
  [alone, together] = [await open(1), await open(4)];
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  mirrored = new Uint8Array(await sharp(image).flop().png().toBuffer());
  base = { image, prompt: "Make the red car blue", seed: 1, numSteps: 4 };
});
afterAll(() => Promise.all([alone.close(), together.close()]));

/** How the edits of a group end, and how many images each run of the transformer had. */
async function grouped(
  requests: readonly Partial<EditRequest>[],
  { on = together, options = [] }: { on?: Engine; options?: readonly EditOptions[] } = {},
) {
  const velocities = vi.spyOn(Networks.prototype, "velocities");
  const group = new EditGroup(requests.length);
  const ends = await Promise.allSettled(
    requests.map((request, index) =>
      on.edit({ ...base, ...request }, { ...options[index], group: group.place() }),
    ),
  );
  const sizes = velocities.mock.calls.map(([inputs]) => inputs.length);
  velocities.mockRestore();
  return { ends, sizes };
}

async function bytesAlone(requests: readonly Partial<EditRequest>[]): Promise<string[]> {
  const results: string[] = [];
  for (const request of requests) results.push(sha256((await alone.edit({ ...base, ...request })).image));
  return results;
}

const bytesOf = (ends: readonly PromiseSettledResult<EditResult>[]): string[] =>
  ends.map((end) => (end.status === "fulfilled" ? sha256(end.value.image) : String(end.reason)));

const NEGATIVE = { negativePrompt: "blurry", trueCfgScale: 2 };

describe("edits of a group", () => {
  it("have the bytes that they have alone, whatever their words, seeds and pictures", async () => {
    const requests = [{}, { prompt: "Remove the tree", seed: 2 }, { image: mirrored, guidance: 5 }];
    const { ends, sizes } = await grouped(requests);
    expect(bytesOf(ends)).toEqual(await bytesAlone(requests));
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    // By now it is known that both sizes have equal bits.
    expect((await grouped(requests)).sizes).toEqual([2, 1, 2, 1, 2, 1, 2, 1]);
  });

  it("run both passes of each together", async () => {
    const requests = [NEGATIVE, { ...NEGATIVE, seed: 2 }];
    await grouped(requests);
    const { ends, sizes } = await grouped(requests);
    expect(bytesOf(ends)).toEqual(await bytesAlone(requests));
    expect(sizes).toEqual([4, 4, 4, 4]);
  });

  it("share a run only with the same LoRAs", async () => {
    const peft = { loras: [{ name: "peft", scale: 1 }] };
    const requests = [peft, { ...peft, seed: 2 }, { loras: [{ name: "other", scale: 1 }] }];
    const expected = await bytesAlone(requests);
    const { ends, sizes } = await grouped(requests);
    expect(bytesOf(ends)).toEqual(expected);
    expect(Math.max(...sizes)).toBeLessThan(3);
  });

  it.each<[string, Partial<EditRequest>]>([
    ["of another size", { size: { width: 96, height: 64 } }],
    ["with other steps", { numSteps: 3 }],
    ["of a second pass", NEGATIVE],
    ["with accelerated steps", { acceleration: "auto" }],
    ["inside a mask", { mask: new Uint8Array() }],
  ])("run alone after the others where they differ: %s", async (_, other) => {
    const mask = "mask" in other ? { mask: base.image as Uint8Array } : {};
    const requests = [{}, { ...other, ...mask }, { seed: 2 }];
    const { ends, sizes } = await grouped(requests);
    expect(bytesOf(ends)).toEqual(await bytesAlone(requests));
    expect(sizes.slice(0, 4)).toEqual([2, 2, 2, 2]);
    expect(sizes.slice(4).every((size) => size < 3)).toBe(true);
  });

  it("go on without one that fails, is cancelled, or whose listener throws", async () => {
    const cancelled = new AbortController();
    const cancelAt = (step: number): void => {
      if (step === 2) cancelled.abort();
    };
    const { ends } = await grouped([{}, { image: new Uint8Array(9) }, { seed: 2 }, { seed: 3 }], {
      options: [
        {},
        {},
        { signal: cancelled.signal, onStep: ({ step }) => cancelAt(step) },
        {
          onStep() {
            throw new Error("no more");
          },
        },
      ],
    });
    const [expected] = await bytesAlone([{}]);
    const [image, broken, stopped, thrown] = bytesOf(ends);
    expect([image, stopped, thrown]).toEqual([
      expected,
      "RetouchError: The edit was cancelled.",
      "Error: no more",
    ]);
    expect(broken).toContain("the image is not an image");
    // The next edit meets none of them.
    expect(bytesOf((await grouped([{}])).ends)).toEqual([expected]);
  });

  it("run one by one where memory has room for one only", async () => {
    const need = together.neededBytes;
    const small = await createEngine({
      checkpoint,
      threads: 1,
      weights: "fp32",
      safety: { isOn: false },
      loras,
      batch: 4,
      memoryLimit: need + 1e6,
    });
    const requests = [{}, { seed: 2 }];
    const { ends, sizes } = await grouped(requests, { on: small });
    expect(bytesOf(ends)).toEqual(await bytesAlone(requests));
    expect(new Set(sizes)).toEqual(new Set([1]));
    await small.close();
  });

  it("say how many are worth running together", async () => {
    const worth = async (on: Engine, request: Partial<EditRequest> = {}) =>
      (await on.edit({ ...base, ...request }, { group: new EditGroup().place() })).worthTogether;
    expect(await worth(together)).toBe(4);
    expect(await worth(together, NEGATIVE)).toBe(2);
    expect(await worth(alone)).toBe(1);
    expect((await together.edit(base)).worthTogether).toBeUndefined();
  });
});
