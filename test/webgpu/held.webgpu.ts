/** What an edit holds on a GPU: it travels once, gives the same numbers, and is freed however the edit ends. */
import { describe, expect, it } from "vitest";
import { needDevice } from "./compare.ts";
import type { DeviceEdit } from "./device-edit.ts";
import { KLEIN_EDITS, KONTEXT_EDITS } from "./edits.ts";
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

const look = async (edit: DeviceEdit, how: Partial<HeldTask> = {}): Promise<HeldEdits> =>
  (await lookAtDevice({ ...edit, isHeld: true, areEndsTried: false, ...how })) as HeldEdits;

describe("an edit on the device", () => {
  it.for([["the shipped checkpoint", KONTEXT_EDITS["the shipped checkpoint"]!, 1]] as const)("of %s", async ([name, edit], context) => {
    needDevice(context);
    const { picture, ...found } = await look(edit);
    console.log(name, picture.length, JSON.stringify(found));
  });
});
