import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { journalFile, type JournalRecord, openJournal, readJournal } from "../../../src/cli/batch/journal.ts";
import { sha256 } from "../../../src/sha256.ts";
import { refusal } from "../../support/refusal.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const [one, two] = [sha256("one"), sha256("two")] as const;
const planned = (key: string, output: string): JournalRecord => ({ event: "planned", key, output, seed: 7 });
const made = (key: string): JournalRecord => ({
  event: "made",
  key,
  sha256: sha256("result"),
  width: 4,
  height: 2,
  seconds: 1.5,
});
const result = { sha256: sha256("result"), width: 4, height: 2, seconds: 1.5 };

/** A journal with these bytes. */
async function folderWith(content: string): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(path.dirname(journalFile(folder)), { recursive: true });
  await writeFile(journalFile(folder), content);
  return folder;
}
const lines = (...records: JournalRecord[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("");

describe("the journal", () => {
  it("has what was appended, then and in the next process", async () => {
    const folder = await temporaryFolder();
    expect((await readJournal(folder)).size).toBe(0);
    const journal = await openJournal(folder);
    expect(journal.isBegun).toBe(false);
    await journal.append([{ event: "begun" }, planned(one, "a.png"), planned(two, "b/c.png")]);
    await journal.append([made(one)]);
    await journal.append([{ event: "done", key: one }]);
    const edits = [
      [one, { output: "a.png", seed: 7, isDone: true, result }],
      [two, { output: "b/c.png", seed: 7, isDone: false }],
    ];
    expect([...journal.edits]).toEqual(edits);
    await journal.close();
    const again = await openJournal(folder);
    expect(again.isBegun).toBe(true);
    expect([...again.edits]).toEqual(edits);
    await again.close();
    expect([...(await readJournal(folder))]).toEqual(edits);
  });

  it("is whole after a process that ended at any byte of it", async () => {
    const text = lines(planned(one, "a.png"), made(one), { event: "done", key: one });
    const ends = [...text.matchAll(/\n/g)].map(({ index }) => index + 1);
    for (let length = 0; length <= text.length; length += 1) {
      const folder = await folderWith(text.slice(0, length));
      const journal = await openJournal(folder);
      const whole = ends.filter((end) => end <= length).length;
      expect([...journal.edits.values()].map(({ isDone }) => isDone)).toEqual(
        [[], [false], [false], [true]][whole],
      );
      await journal.append([planned(two, "b.png")]);
      await journal.close();
      const kept = text.slice(0, ends[whole - 1] ?? 0);
      expect(await readFile(journalFile(folder), "utf8")).toBe(kept + lines(planned(two, "b.png")));
    }
  });

  it("forgets a last line that has only its length, as a power cut leaves it", async () => {
    const folder = await folderWith(`${lines(planned(one, "a.png"))}${"\0".repeat(40)}\n`);
    const journal = await openJournal(folder);
    expect([...journal.edits.keys()]).toEqual([one]);
    await journal.close();
    expect(await readFile(journalFile(folder), "utf8")).toBe(lines(planned(one, "a.png")));
  });

  it.each([
    ["no JSON", "nonsense"],
    ["no key", '{"event":"done","key":"x"}'],
    ["an unknown event", JSON.stringify({ event: "eaten", key: one })],
    [
      "a name outside the folder",
      JSON.stringify({ event: "planned", key: one, output: "../a.png", seed: 1 }),
    ],
    ["no seed", JSON.stringify({ event: "planned", key: one, output: "a.png" })],
    ["a result of an edit that was not planned", JSON.stringify(made(two))],
  ])("is refused with %s in its middle, and stays as it is", async (_, line) => {
    const text = `${line}\n${lines(planned(one, "a.png"))}`;
    const folder = await folderWith(text);
    const refused = refusal(
      "OUTPUT_UNWRITABLE",
      /^The journal .*journal\.jsonl cannot be used: line 1 is not a record of this version\.$/,
    );
    await expect(openJournal(folder)).rejects.toEqual(refused);
    await expect(readJournal(folder)).rejects.toEqual(refused);
    expect(await readFile(journalFile(folder), "utf8")).toBe(text);
  });

  it("counts an edit that is made again as not done until it is", async () => {
    const folder = await folderWith(lines(planned(one, "a.png"), made(one), { event: "done", key: one }));
    await appendFile(journalFile(folder), lines(made(one)));
    expect((await readJournal(folder)).get(one)).toMatchObject({ isDone: false, result });
  });
});
