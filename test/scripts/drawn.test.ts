/** The comparison with the reference by drawn cases: what it makes of answers, and of processes that give none. */
import { describe, expect, it } from "vitest";
import { decibelsOf } from "../../scripts/reference/drawn/decibels.ts";
import { LineProcess } from "../../scripts/reference/drawn/line-process.ts";
import { parseOptions } from "../../scripts/reference/drawn/options.ts";
import { type Outcome, outcomeOf } from "../../scripts/reference/drawn/outcome.ts";
import type { DrawnCase, OurAnswer } from "../../scripts/reference/drawn/protocol.ts";
import { summaryOf } from "../../scripts/reference/drawn/report.ts";
import { shrink } from "../../scripts/reference/drawn/shrink.ts";

const DRAWN = { folder: "", edit: {} as DrawnCase["edit"], odd: { a: 1 } } satisfies DrawnCase;
const REFUSED = { ...DRAWN, refusal: "ValueError" };
const ran = (latents: number, picture: number | "equal" = "equal", notices: string[] = []): OurAnswer => ({
  ran: true,
  latents,
  picture,
  notices,
});

it.each<[kind: string, reference: DrawnCase | { fault: string }, ours: OurAnswer | undefined]>([
  ["equal", DRAWN, ran(75)],
  ["silent miss", DRAWN, ran(74.9)],
  ["silent miss", DRAWN, ran(90, 49)],
  ["silent miss", DRAWN, ran(20, 20, ["The prompt is longer than 5 tokens; its end was cut off."])],
  ["miss with a notice", DRAWN, ran(20, 20, ["These keys have no effect: a."])],
  ["refused by us alone", DRAWN, { ran: false, refusal: "CHECKPOINT_UNSUPPORTED: a" }],
  ["refused by both", REFUSED, { ran: false, refusal: "CHECKPOINT_UNSUPPORTED: a" }],
  ["run by us alone", REFUSED, { ran: true, latents: "none", picture: "none", notices: [] }],
  ["without numbers", DRAWN, { ran: true, latents: "none", picture: "none", notices: [] }],
  ["fault", DRAWN, { fault: "no answer" }],
  ["fault", { fault: "no answer" }, undefined],
])("calls it %s", (kind, reference, ours) => expect(outcomeOf(0, reference, ours).kind).toBe(kind));

it("draws cases of one pipeline where it is named", () => {
  const options = parseOptions(["3", "10", "--pipeline", "klein", "--set", "edit.steps=2"]);
  expect(options).toMatchObject({ changes: { fixed: { pipeline: "klein", "edit.steps": 2 } } });
  expect(() => parseOptions(["3", "10", "--pipeline", "other"])).toThrow(
    "--pipeline must be kontext or klein, not other.",
  );
});

it("is satisfied without silent misses and faults, with one refusal in fifty", () => {
  const many = (kind: Outcome["kind"], count: number): Outcome[] =>
    Array.from({ length: count }, (_, index) => ({
      index,
      kind,
      decibels: kind === "equal" ? 100 : Number.NaN,
      what: "",
      odd: {},
    }));
  const isGood = (...outcomes: Outcome[][]): boolean => summaryOf(outcomes.flat(), 1).isGood;
  expect(isGood(many("equal", 49), many("refused by us alone", 1), many("refused by both", 9))).toBe(true);
  expect(isGood(many("equal", 49), many("refused by us alone", 2))).toBe(false);
  expect(isGood(many("equal", 49), many("silent miss", 1))).toBe(false);
  expect(isGood(many("equal", 49), many("fault", 1))).toBe(false);
});

it("measures from the range of the expected numbers, and gives nothing where they are none", () => {
  expect(decibelsOf([0, 1.1], [0, 1])).toBeCloseTo(20 * Math.log10(Math.SQRT2 / 0.1), 6);
  expect(decibelsOf([1, 2], [1, 2])).toBe("equal");
  expect(decibelsOf([1, Number.NaN], [1, 2])).toBe(-Infinity);
  expect(decibelsOf([1], [1, 2])).toBe(-Infinity);
  expect(decibelsOf([1, 2], [1, Number.NaN])).toBe("none");
});

it("shrinks to the two fields that a miss needs together", async () => {
  const names = Array.from({ length: 40 }, (_, index) => `field${index}`);
  let runs = 0;
  const outcome = (unusual: readonly string[]): Outcome => ({
    index: 0,
    kind: unusual.includes("field7") && unusual.includes("field31") ? "silent miss" : "equal",
    decibels: 30,
    what: "",
    odd: Object.fromEntries(unusual.map((name) => [name, 1])),
  });
  const found = await shrink(outcome(names), async (unusual) => {
    runs += 1;
    return outcome(unusual);
  });
  expect(Object.keys(found.odd)).toEqual(["field7", "field31"]);
  expect(runs).toBeLessThan(30);
});

it("reads its options, and says which is wrong", () => {
  expect(parseOptions(["7", "3", "--from", "5", "--set", "a=[1]", "--set", "b=text"])).toMatchObject({
    seed: 7,
    indices: [5, 6, 7],
    changes: { fixed: { a: [1], b: "text" } },
  });
  expect(parseOptions(["7", "--only", "9"])).toMatchObject({ indices: [9] });
  expect(() => parseOptions(["x", "3"])).toThrow("SEED must be a whole number, not x.");
  expect(() => parseOptions(["7"])).toThrow("N must be a whole number.");
  expect(() => parseOptions(["7", "3", "--set", "a"])).toThrow("--set must be FIELD=VALUE, not a.");
});

describe("a process that answers lines", () => {
  const SCRIPT = `
    require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const { id, what } = JSON.parse(line);
      if (what === "end") { console.error("out of memory"); process.exit(3); }
      if (what !== "hang") console.log("noise\\n" + JSON.stringify({ id, what }));
    });`;

  it("is started anew after it ended or hung, which is the answer", async () => {
    const limits = { answerMs: 300, firstMs: 10_000 };
    const process_ = new LineProcess([process.execPath, "-e", SCRIPT], {}, limits);
    try {
      expect(await process_.ask({ what: "a" })).toMatchObject({ what: "a" });
      expect(await process_.ask({ what: "end" })).toEqual({
        fault: "the process ended with code 3: out of memory",
      });
      expect(await process_.ask({ what: "b" })).toMatchObject({ what: "b" });
      expect(await process_.ask({ what: "hang" })).toEqual({ fault: "no answer within 0.3 seconds" });
      expect(await process_.ask({ what: "c" })).toMatchObject({ what: "c" });
    } finally {
      process_.close();
    }
  });
});
