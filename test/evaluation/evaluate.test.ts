/** The whole run, through the real engine, with one step an edit. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import { inRepository } from "../../tools/paths.ts";
import { evaluate } from "../../evaluation/evaluate.ts";
import { type Options, PARTS, PLAN } from "../../evaluation/options.ts";
import { renderTables } from "../../evaluation/table.ts";
import { writeEvaluationSet } from "../support/evaluation-set.ts";
import { temporaryFolder } from "../support/temporary.ts";

const plan = { ...PLAN, numSteps: 1, steps: [1, 2] };

async function optionsFor(folder: string): Promise<Options> {
  const set = path.join(folder, "set");
  await writeEvaluationSet(set);
  const checkpoint = inRepository("checkpoints", "tiny");
  const out = path.join(folder, "out");
  return { checkpoint, set, out, parts: PARTS, isJson: true, isRestarted: false };
}

it("measures every part, and after an interruption only what is missing", async () => {
  const options = await optionsFor(await temporaryFolder());
  const said: string[] = [];
  const evaluation = await evaluate(options, (sentence) => said.push(sentence), plan);

  expect(evaluation.overall).toMatchObject({ count: 3, keptCount: 3, changedCount: 2 });
  expect(Object.keys(evaluation.kinds!)).toEqual(["recolour", "remove", "nothing"]);
  expect(evaluation.baselines.nothing).toEqual({ count: 3, followed: 0.3333, others: 0 });
  expect(evaluation.baselines.shuffled?.count).toBe(3);
  expect(evaluation.autoencoder?.decibels).toBeGreaterThan(20);
  expect(evaluation.guidance?.map(({ guidance, count }) => [guidance, count])).toEqual([
    [0, 2],
    [2, 2],
    [5, 2],
    [10, 2],
  ]);
  expect(evaluation.guidanceTests).toHaveLength(4);
  expect(evaluation.steps?.map(({ steps, count }) => [steps, count])).toEqual([
    [1, 2],
    [2, 2],
  ]);
  expect(evaluation.drift?.map(({ edits, count }) => [edits, count])).toEqual(
    [1, 2, 3, 4, 5].map((edits) => [edits, 1]),
  );
  expect(evaluation.goals.every(({ isMet }) => isMet !== undefined)).toBe(true);
  expect(renderTables(evaluation)).toContain("doing nothing          33.3 % followed, 0.0 %");

  const report = path.join(options.out, "report.json");
  expect(JSON.parse(await readFile(report, "utf8"))).toEqual(evaluation);
  const sheet = await sharp(path.join(options.out, "sheet.png")).metadata();
  expect(sheet.width).toBeGreaterThan(400);

  // 3 of autoencoder, 3 of nothing, 3 scenes, 3 shuffled, 2 of each other guidance and number of steps, 5 in a row.
  expect(said[0]).toBe("25 measurements, 0 of them from before");
  const progress = path.join(options.out, "progress.jsonl");
  const lines = (await readFile(progress, "utf8")).trim().split("\n");
  expect(lines).toHaveLength(25);
  await writeFile(progress, lines.slice(0, 20).join("\n").slice(0, -5));
  said.length = 0;
  const again = await evaluate(options, (sentence) => said.push(sentence), plan);
  expect(said[0]).toBe("25 measurements, 19 of them from before");
  expect({ ...again, date: "", machine: "", steps: "" }).toEqual({
    ...evaluation,
    date: "",
    machine: "",
    steps: "",
  });
});

it("measures the parts that are asked for alone", async () => {
  const options = await optionsFor(await temporaryFolder());
  const { overall, baselines, autoencoder, guidance, goals } = await evaluate(
    { ...options, parts: ["autoencoder"], limit: 1 },
    () => {},
    plan,
  );
  expect(autoencoder?.count).toBe(1);
  expect([overall, baselines, guidance]).toEqual([undefined, {}, undefined]);
  expect(goals.filter(({ value }) => value !== null)).toHaveLength(1);
});
