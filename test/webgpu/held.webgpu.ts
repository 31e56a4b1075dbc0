/** What an edit holds on a GPU: it travels once, gives the same numbers, and is freed however the edit ends. */
import { describe, expect, it } from "vitest";
import type { Traffic } from "../../src/runtime/session.ts";
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
    console.log(`500 rounds of three buffers of 1 MB: ${megabytes.toFixed(0)} MB more`);
    expect(live).toBe(0);
    // Freed memory returns late; what is not freed would be 1,500 MB.
    expect(megabytes).toBeLessThan(750);
  });
});

/** Three steps are enough to see two that are alike. */
const look = async ({ request, ...edit }: DeviceEdit, how: Partial<HeldTask> = {}): Promise<HeldEdits> =>
  (await lookAtDevice({
    ...edit,
    request: { ...request, numSteps: 3 },
    isHeld: true,
    areEndsTried: false,
    ...how,
  })) as HeldEdits;

/** By the bytes of the latents, 64 or 16 tokens of as many channels, and passes of a step. */
const EDITS: readonly (readonly [name: string, edit: DeviceEdit, latentBytes: number, passes: number])[] = [
  ["the shipped checkpoint", KONTEXT_EDITS["the shipped checkpoint"]!, 64 * 64 * 4, 1],
  ["true guidance", KONTEXT_EDITS["true guidance"]!, 16 * 16 * 4, 2],
];

it.for(EDITS)("an edit on the device sends and receives only latents in a step: %s", async (of, context) => {
  needDevice(context);
  const [name, edit, latentBytes, passes] = of;
  const [first, ...later] = (await look(edit)).steps;
  for (const { up, down } of later) {
    expect({ up, down }).toEqual({ up: passes * latentBytes, down: passes * latentBytes });
  }
  const [{ up, down, held }] = later as [Traffic];
  console.log(
    `${name}: ${up} bytes up and ${down} down in a step, ${up + held} up if all were sent;`,
    `${first!.up} up and ${first!.down} down until the first is done`,
  );
});

it.for([
  ["a LoRA", KONTEXT_EDITS["a LoRA"]!],
  ["klein, references kept", KLEIN_EDITS["klein, references kept"]!],
] as const)("an edit on the device gives what it gives when all is sent: %s", async ([, edit], context) => {
  needDevice(context);
  const held = await look(edit);
  const sent = await look(edit, { isHeld: false });
  expect(held.picture).toBe(sent.picture);
  expect(held.steps[1]!.up).toBeLessThan(sent.steps[1]!.up / 2);
  expect(held.steps[1]!.up + held.steps[1]!.held).toBe(sent.steps[1]!.up + sent.steps[1]!.held);
});

it.for([
  ["FLUX.1 Kontext", KONTEXT_EDITS["a LoRA"]!],
  ["FLUX.2 [klein]", KLEIN_EDITS["klein, references kept"]!],
] as const)("an edit with %s frees what it holds, however it ends", async ([, edit], context) => {
  needDevice(context);
  const { idle, during, closed, ends } = await look(edit, { areEndsTried: true });
  expect(Math.min(...during)).toBeGreaterThan(idle + 5);
  expect(closed).toBe(0);
  expect(ends).toEqual({
    finished: { live: idle, reason: "none" },
    aborted: { live: idle, reason: "The edit was cancelled." },
    failed: { live: idle, reason: "the disk is full" },
    lost: { live: idle, reason: "the device is lost" },
    again: { live: idle, reason: "none" },
  });
});

it("an edit on the device gives the same where its networks come and go", async (context) => {
  needDevice(context);
  const edit = KONTEXT_EDITS["true guidance"]!;
  const whole = await look(edit);
  // As in `residency.test.ts`: no two networks at a time, so what modulation made outlives it.
  const single = await look(edit, { memoryLimit: 260 * 2 ** 20 });
  expect(single.ends).toEqual(whole.ends);
  expect(single.picture).toBe(whole.picture);
});
