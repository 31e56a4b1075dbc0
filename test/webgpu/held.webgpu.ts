/** What an edit holds on a GPU: it travels once, gives the same numbers, and is freed however the edit ends. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { fixtures } from "../support/fixtures.ts";
import { needDevice } from "./compare.ts";
import { type HeldEdits, type HeldTask, lookAtDevice } from "./held.ts";

describe("a tensor on the device", () => {
  it("is sent once, read by any network, and gone when it is freed", async (context) => {
    needDevice(context);
    expect(await lookAtDevice("tensors")).toEqual({
      // Three numbers, which two shapes share; an empty tensor stays where it is.
      first: { traffic: { up: 12, down: 0, held: 0 }, heldBytes: 12, live: 1, shape: [1, 3] },
      none: false,
      runs: [
        { sum: [11, 22, 33], traffic: { up: 12, down: 12, held: 12 } },
        { sum: [2, 4, 6], traffic: { up: 0, down: 12, held: 24 } },
        { sum: [20, 40, 60], traffic: { up: 24, down: 12, held: 0 } },
      ],
      rowSums: [
        [2, 4, 6],
        [8, 10, 12],
      ],
      singleSum: [11, 22, 33],
      // The rows took the place of the whole.
      afterRows: { live: 3, heldBytes: 36 },
      survived: [21, 42, 63],
      mistakes: {
        cpu: "The network sum fails: An input is on another device.",
        read: "These numbers are on the device.",
        whole: "The network sum fails: A tensor is used that is freed.",
      },
      freed: { live: 0, heldBytes: 0, reason: "The network sum fails: A tensor is used that is freed." },
    });
  });

  it("leaves no memory behind", async (context) => {
    needDevice(context);
    const { megabytes, live } = (await lookAtDevice({ rounds: 500 })) as { megabytes: number; live: number };
    console.log(`500 rounds of two buffers of 1 MB: ${megabytes.toFixed(1)} MB more`);
    expect(live).toBe(0);
    // A buffer that is not freed takes its own size: 1,000 MB here.
    expect(megabytes).toBeLessThan(50);
  });
});

const KLEIN: HeldTask = {
  checkpoint: path.join(fixtures, "klein", "checkpoints", "plain"),
  pictures: [path.join(fixtures, "klein", "pictures", "scene-64x64.png")],
  prompt: "Put the cat on the table",
  size: { width: 64, height: 64 },
  request: { seed: 1, numSteps: 3 },
};

describe("an edit on the device", () => {
  it.each([["FLUX.2 klein", KLEIN]])("of %s sends only latents in a step, and frees what it holds", async (name, task) => {
    const found = (await lookAtDevice(task)) as HeldEdits;
    console.log(name, JSON.stringify({ ...found, picture: undefined }));
    expect(found.idle).toBe(0);
  });
});
