/** What WebGPU needs of a graph, turned back one by one: each edit is then refused, fails, or gives another picture. */
import { describe, expect, it } from "vitest";
import type { KernelForms } from "../../src/onnx/kernel-forms.ts";
import { type Compared, compareSides, needDevice, WANTED_DB } from "./compare.ts";
import type { DeviceEdit } from "./device-edit.ts";
import { KLEIN_EDITS, KONTEXT_EDITS } from "./edits.ts";

/** JSON has no infinity. */
const ANY = Number.MAX_SAFE_INTEGER;

const TURNED_BACK: readonly (readonly [name: string, edit: DeviceEdit, forms: Partial<KernelForms>])[] = [
  ["attention as one operator", KONTEXT_EDITS["the shipped checkpoint"]!, { attention: "fused" }],
  ["nodes of any number of outputs", KONTEXT_EDITS["true guidance"]!, { maxOutputs: ANY }],
  ["stored half precision as it is", KLEIN_EDITS["klein, 8 bits"]!, { hasFloat16: true }],
];

describe("an edit on WebGPU is not the CPU's with", () => {
  it.for(TURNED_BACK)("%s", async ([name, edit, forms], context) => {
    needDevice(context);
    const outcome: Compared | Error = await compareSides(name, edit, { forms }).catch((error: Error) => error);
    if (outcome instanceof Error) {
      console.log(`WebGPU, ${name}: ${reasonIn(outcome)}`);
      // By the runtime, not by this test.
      expect(outcome.message).toMatch(/The network \w+ (?:fails|does not load): /);
    } else {
      expect(outcome.decibels).toBeLessThan(WANTED_DB);
    }
  });
});

/** What the runtime says, without where in its source it says it. */
const reasonIn = ({ message }: Error): string => /The network .*/.exec(message)?.[0] ?? message;
