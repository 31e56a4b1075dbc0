import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { createPreviews, partialSteps } from "../../src/worker/previews.ts";
import { noise } from "../images/samples.ts";

describe("the steps of previews that are asked for", () => {
  it.each([
    [{ numSteps: 28, numPartials: 3 }, [7, 14, 21]],
    [{ numSteps: 28, numPartials: 1 }, [14]],
    [{ numSteps: 28, numPartials: 0 }, []],
    // Fewer steps than pictures: the last is followed by the result.
    [{ numSteps: 2, numPartials: 3 }, [1]],
    [{ numSteps: 1, numPartials: 3 }, []],
    // Of each result.
    [{ numSteps: 4, numPartials: 1, numImages: 2 }, [2, 6]],
    // The steps that a mask leaves out have nothing to show.
    [{ numSteps: 20, numPartials: 1, strength: 0.5 }, [15]],
  ])("%j", (edit, steps) => {
    expect(partialSteps({ strength: undefined, ...edit })).toEqual(steps);
  });
});

describe("previews", () => {
  const step = { sketch: async () => noise(64, 48) };
  const edit = { isPreviewed: true, numSteps: 4, numPartials: 1 };

  it.each([
    ["png", "png"],
    ["webp", "webp"],
    ["jpeg", "jpeg"],
    ["avif", "jpeg"],
  ] as const)("of a result as %s are %s", async (format, written) => {
    const previews = createPreviews({ ...edit, format });
    expect(await previews.after(1, step)).toEqual({});
    const { preview, isPartial } = await previews.after(2, step);
    const bytes = Buffer.from(preview!.replace(`data:image/${written};base64,`, ""), "base64");
    expect(isPartial).toBe(true);
    expect(await sharp(bytes).metadata()).toMatchObject({ format: written, width: 64, height: 48 });
    expect(await previews.after(3, step)).toEqual({});
  });

  it("are not asked for where they may not be shown", async () => {
    const previews = createPreviews({ ...edit, isPreviewed: false, format: "png" });
    expect([previews.isPartialDue(4), await previews.after(2, step)]).toEqual([false, {}]);
  });
});
