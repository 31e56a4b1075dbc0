import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { EvaluationRecord } from "../../evaluation/record.ts";
import { temporaryFolder } from "../support/temporary.ts";

const of = { set: "5".repeat(64), checkpoint: "c".repeat(64) };
const picture = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };

it("finds again what it was given, with its picture", async () => {
  const folder = await temporaryFolder();
  const record = new EvaluationRecord(folder, of);
  expect(record.has("scene 1, guidance 2")).toBe(false);
  await record.addPicture("scene 1, guidance 2", picture);
  record.add("scene 1, guidance 2", { distance: 3 });

  const again = new EvaluationRecord(folder, of);
  expect(again.get("scene 1, guidance 2")).toEqual({ distance: 3 });
  expect(again.hasPicture("scene 1, guidance 2")).toBe(true);
  expect(again.hasPicture("scene 1, guidance 20")).toBe(false);
  expect(await again.picture("scene 1, guidance 2")).toEqual(picture);
  expect(() => again.get("scene 2")).toThrow("There is no measurement of scene 2.");
});

it("goes on after a line that a kill cut short", async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder, "progress.jsonl");
  const record = new EvaluationRecord(folder, of);
  record.add("a", { value: 1 });
  record.add("b", { value: 2 });
  const whole = await readFile(file, "utf8");
  await writeFile(file, whole.slice(0, -20));

  const resumed = new EvaluationRecord(folder, of);
  expect([resumed.has("a"), resumed.has("b")]).toEqual([true, false]);
  resumed.add("c", { value: 3 });
  const last = new EvaluationRecord(folder, of);
  expect([last.has("a"), last.has("b"), last.has("c")]).toEqual([true, false, true]);
});

it("never takes what was measured on another set or checkpoint, or in another way", async () => {
  const folder = await temporaryFolder();
  new EvaluationRecord(folder, of).add("a", { value: 1 });
  for (const other of [
    { ...of, set: "6".repeat(64) },
    { ...of, checkpoint: "d".repeat(64) },
  ]) {
    const record = new EvaluationRecord(folder, other);
    expect(record.has("a")).toBe(false);
    record.add("a", { value: 2 });
  }
  const line = { ...of, measures: 0, key: "a", measured: { value: 3 } };
  await appendFile(path.join(folder, "progress.jsonl"), `${JSON.stringify(line)}\n`);
  expect(new EvaluationRecord(folder, of).get("a")).toEqual({ value: 1 });
});

it("forgets everything when it is restarted", async () => {
  const folder = await temporaryFolder();
  const record = new EvaluationRecord(folder, of);
  await record.addPicture("a", picture);
  record.add("a", {});
  const restarted = new EvaluationRecord(folder, of, { isRestarted: true });
  expect([restarted.has("a"), restarted.hasPicture("a")]).toEqual([false, false]);
  await rm(folder, { recursive: true });
});
