/** What WebGPU needs of a graph. Turned back one by one, each edit fails or gives another picture. */
import { describe, expect, it } from "vitest";
import type { KernelForms } from "../../src/onnx/kernel-forms.ts";
import { type Compared, compareSides, needDevice, WANTED_DB } from "./compare.ts";
import type { DeviceEdit } from "./device-edit.ts";
import { KLEIN_EDITS, KONTEXT_EDITS } from "./edits.ts";

type Case = readonly [name: string, edit: DeviceEdit, forms: Partial<KernelForms>];

const TURNED_BACK: readonly Case[] = [
  ["attention as one operator", KLEIN_EDITS["klein with one image"]!, { attention: "fused" }],
  ["convolutions of six channels", KONTEXT_EDITS["tiles of 32 pixels"]!, { convChannels: "any" }],
  ["half precision as it is stored", KLEIN_EDITS["klein, tables in half precision"]!, { hasFloat16: true }],
];

describe("an edit on WebGPU is not the CPU's with", () => {
  it.for(TURNED_BACK)("%s", async ([name, edit, forms], context) => {
    needDevice(context);
    const outcome: Compared | Error = await compareSides(name, edit, { forms }).catch(
      (error: Error) => error,
    );
    if (outcome instanceof Error) {
      console.log(`WebGPU, ${name}: ${reasonIn(outcome)}`);
      // The runtime refused a network: this test, the CPU and the process did not fail.
      expect(outcome.message).toMatch(/RUNTIME_FAILED/);
    } else {
      expect(outcome.decibels).toBeLessThan(WANTED_DB);
    }
  });
});

/** What the runtime says, without where in its source it says it. */
const reasonIn = ({ message }: Error): string => /The network (?!\$).*/.exec(message)?.[0] ?? message;
