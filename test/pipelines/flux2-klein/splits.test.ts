/** GPU runtimes limit how many outputs a `Split` may have; shared modulation has many vectors, which invite one. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { buildModel } from "../../../src/onnx/graph.ts";
import { openKlein } from "../../../src/pipelines/flux2-klein/model.ts";
import { Checkpoint } from "../../../src/weights/checkpoint.ts";
import { fixtures } from "../../support/fixtures.ts";
import { madeUpWeights } from "../../support/made-up.ts";
import { readModel } from "../../support/onnx.ts";

/** Of WebGPU, where each output is a buffer of its own. */
const MAX_OUTPUTS = 8;

const folder = path.join(fixtures, "klein", "checkpoints");
const variants = readdirSync(folder).flatMap((name) =>
  [false, true].flatMap((areReferencesKept) =>
    (["float32", "float16"] as const).map((computeType) => ({ name, areReferencesKept, computeType })),
  ),
);

describe.each(variants)(
  "the graphs of $name in $computeType, with references kept: $areReferencesKept",
  ({ name, areReferencesKept, computeType }) => {
    it(`have no Split of more than ${MAX_OUTPUTS} outputs`, async () => {
      const checkpoint = await Checkpoint.open(path.join(folder, name));
      const { components } = await openKlein(checkpoint, { areReferencesKept });
      const splits = components.flatMap((component) => {
        const outputs = component.build(madeUpWeights(), { computeType });
        return readModel(buildModel(component.name, outputs)).nodes.filter(
          ({ opType }) => opType === "Split",
        );
      });
      expect(splits.length).toBeGreaterThan(0);
      expect(splits.filter(({ outputs }) => outputs.length > MAX_OUTPUTS)).toEqual([]);
    });
  },
);
