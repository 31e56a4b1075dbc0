import { expect, it } from "vitest";
import type { FaultKind } from "../../faults/kinds/kind.ts";
import { SHAPES } from "../../faults/kinds/kind.ts";
import { BEGIN, describeRound, END, putBetweenMarkers, renderTable } from "../../faults/report.ts";
import type { RoundResult } from "../../faults/round.ts";

const kind = (name: string): FaultKind => ({
  name,
  what: `what ${name} does`,
  drawShape: () => SHAPES.embedded,
  strike: async () => {},
});

const round = (name: string, changes: Partial<RoundResult> = {}): RoundResult => ({
  kind: name,
  seed: 9,
  shape: SHAPES.embedded,
  problems: [],
  acknowledged: 20,
  answers: { "200": 100, "503": 3, "507": 2, none: 4 },
  seconds: 12.3,
  folder: undefined,
  ...changes,
});

const lost = round("kill", {
  problems: [
    { what: "a job has no row", detail: "job-1" },
    { what: "a job has no row", detail: "job-2" },
  ],
  folder: "/logs",
});

it("counts rounds, jobs, answers and losses of every fault, and says what was not tried", () => {
  const text = renderTable({
    kinds: [kind("kill"), kind("cut"), kind("clock")],
    results: [round("kill"), lost, round("cut")],
    missing: new Map([["clock", "libfaketime is missing"]]),
    seed: 9,
    machine: "two cores",
  });
  const rows = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  expect(text).toContain("3 rounds from seed 9; two cores.");
  expect(rows).toContainEqual(["", "`kill`", "what kill does", "2", "40", "10", "8", "1", ""]);
  expect(rows).toContainEqual(["", "`cut`", "what cut does", "1", "20", "5", "4", "0", ""]);
  expect(rows).toContainEqual([
    "",
    "`clock`",
    "what clock does",
    "not tried: libfaketime is missing",
    "0",
    "0",
    "0",
    "0",
    "",
  ]);
  expect(rows).toContainEqual(["", "all", "", "3", "60", "15", "12", "1", ""]);
});

it("says how a round with a loss is played again", () => {
  expect(describeRound(lost)).toBe(
    "LOST kill (embedded, 1 + 0), seed 9: 20 jobs, 12 s\n" +
      "       2 x a job has no row: job-1\n" +
      "       --fault kill --seed 9 --rounds 1; logs in /logs",
  );
});

it("puts the table between its markers and leaves the rest of the document", () => {
  const document = `before\n\n${BEGIN}\nold\n${END}\n\nafter\n`;
  expect(putBetweenMarkers(document, "new")).toBe(`before\n\n${BEGIN}\n\nnew\n\n${END}\n\nafter\n`);
  expect(() => putBetweenMarkers("nothing", "new")).toThrow("The document has no place for the table.");
});
