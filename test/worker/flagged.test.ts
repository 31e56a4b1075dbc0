/** What becomes of flagged results: all of an edit's go one way. */
import { describe, expect, it } from "vitest";
import { FlaggedResult, judge } from "../../src/worker/flagged.ts";
import { endOf } from "../../src/worker/failures.ts";

const CHECKER = { name: "MobileNetV2", sha256: "ab".repeat(32) };
const engine = { checkerIdentity: async () => CHECKER };
/** Results with these scores, flagged from 0.7 on. */
const resultsOf = (...scores: number[]) => ({
  results: scores.map((score, seed) => ({
    image: new Uint8Array(),
    seed,
    safety: { score, threshold: 0.7, ...(score >= 0.7 && { isFlagged: true as const }) },
  })),
});
const safety = (...scores: number[]) => ({ checker: CHECKER, threshold: 0.7, scores });

describe("results of an edit", () => {
  it("that pass keep their scores, whatever becomes of others", async () => {
    for (const action of ["refuse", "hold"] as const) {
      expect(await judge(engine, resultsOf(0.1, 0.69), action)).toEqual({
        safety: safety(0.1, 0.69),
        isHeld: false,
      });
    }
  });

  it("are held together where one is flagged and an operator decides", async () => {
    expect(await judge(engine, resultsOf(0.1, 0.7), "hold")).toEqual({
      safety: safety(0.1, 0.7),
      isHeld: true,
    });
  });

  it("are refused together otherwise, by the score of the first that was flagged, and all scores are told", async () => {
    const judging = judge(engine, resultsOf(0.1, 0.8125, 0.9), "refuse");
    await expect(judging).rejects.toBeInstanceOf(FlaggedResult);
    const error = await judging.catch((thrown: unknown) => thrown);
    expect(endOf("job", error, new AbortController().signal)).toMatchObject({
      kind: "failed",
      error: "The safety checker refused the result: it looks pornographic (score 0.813, refused from 0.7).",
      failure: { code: "OUTPUT_FLAGGED" },
      safety: safety(0.1, 0.8125, 0.9),
    });
  });

  it("that were not checked have nothing to keep", async () => {
    const unchecked = { results: [{ image: new Uint8Array(), seed: 1 }] };
    expect(await judge(engine, unchecked, "hold")).toBeUndefined();
    expect(await judge({}, unchecked, "refuse")).toBeUndefined();
  });
});
