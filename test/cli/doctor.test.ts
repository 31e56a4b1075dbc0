import { describe, expect, it } from "vitest";
import { sectionsJson, sectionsText } from "../../src/cli/doctor/doctor.ts";
import { examineMachine } from "../../src/cli/doctor/machine.ts";

describe("retouch doctor", () => {
  it("prints sections with aligned lines, or one JSON object with a field for each", () => {
    const sections = [
      { title: "One", name: "one", lines: [["a", "1"], ["longer", "2\n3"], "A sentence."], facts: { a: 1 } },
      { title: "Two", name: "two", lines: [], facts: [2] },
    ] as const;
    expect(sectionsText(sections)).toBe("One\n  a       1\n  longer  2 3\n  A sentence.\n\nTwo\n");
    expect(sectionsJson(sections)).toBe('{"one":{"a":1},"two":[2]}\n');
  });

  it("describes this machine", async () => {
    const { lines, facts } = await examineMachine();
    expect(lines.map(([label]) => label)).toEqual([
      "system",
      "processor",
      "instructions",
      "memory",
      "free disk",
    ]);
    expect(facts).toMatchObject({ processor: { model: expect.any(String) }, diskBytes: expect.any(Number) });
  });
});
