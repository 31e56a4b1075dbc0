import { describe, expect, it } from "vitest";
import { type Report, reportText } from "../../src/cli/report.ts";
import { Stopwatch } from "../../src/engine/stopwatch.ts";

const SIZE = { width: 64, height: 64 };
const REPORT: Report = {
  outputs: ["out.png"],
  result: {
    image: new Uint8Array(),
    images: [],
    results: [{ image: new Uint8Array(), seed: 8 }],
    format: "png",
    ...SIZE,
    workingSize: SIZE,
    referenceSize: SIZE,
    referenceSizes: [SIZE],
    parameters: {
      prompt: "Make it night",
      negativePrompt: "",
      trueCfgScale: 1,
      size: SIZE,
      numSteps: 4,
      guidance: 1,
      seed: 8,
      format: "png",
      isSafetyChecked: false,
      isUnchangedKept: true,
      loras: [],
    },
    notices: [],
    arithmetic: "fp32 with int8 products",
    seconds: { total: 1, denoise: 0.5, parts: new Stopwatch().seconds },
  },
  checkpoint: { name: "plain", weights: { transformer: "fp32" } } as unknown as Report["checkpoint"],
  device: { name: "cpu", reason: "no other device is set up" } as Report["device"],
};
const labelsOf = (report: Report): string[] =>
  reportText(report)
    .split("\n")
    .map((line) => line.slice(0, 14).trim());

describe("the report of an edit", () => {
  it("says what was kept of an image", () => {
    expect(labelsOf(REPORT)).toContain("kept");
    expect(reportText(REPORT)).toContain("source seen at 64 x 64");
  });

  it("says nothing of an image where there was none", () => {
    const drawn = { ...REPORT, result: { ...REPORT.result, referenceSize: undefined } };
    expect(labelsOf(drawn)).not.toContain("kept");
    expect(reportText(drawn)).not.toContain("source");
  });
});
