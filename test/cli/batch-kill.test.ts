/** A batch that is killed at random moments: nothing is made twice, and nothing is lost. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { gradient, randomNumbers, sharpOf } from "../images/samples.ts";
import { temporaryFolder } from "../support/temporary.ts";

const VICTIM = fileURLToPath(new URL("batch/victim.mjs", import.meta.url));
const EDITS = 60;

interface Ended {
  code: number | null;
  stderr: string;
}

function start(folder: string, stepMs = 0): { child: ChildProcess; ended: Promise<Ended> } {
  const args = ["jobs.jsonl", "out", path.join(folder, "log"), String(stepMs)];
  const child = spawn(process.execPath, [VICTIM, ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return { child, ended: once(child, "close").then(([code]) => ({ code: code as number | null, stderr })) };
}

async function newBatch(edits: number): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, "a.png"), await sharpOf(gradient(8, 8)).png().toBuffer());
  const lines = Array.from({ length: edits }, (_, index) =>
    JSON.stringify({ image: "a.png", prompt: `edit-${index}`, output: `${index % 7}/${index}.png` }),
  );
  await writeFile(path.join(folder, "jobs.jsonl"), `${lines.join("\n")}\n`);
  return folder;
}

/** Inode, time and content of every result. */
async function resultsIn(folder: string): Promise<Map<string, string>> {
  const results = new Map<string, string>();
  const names = await readdir(path.join(folder, "out"), { recursive: true }).catch(() => []);
  for (const name of names.filter((one) => one.endsWith(".png"))) {
    const file = path.join(folder, "out", name);
    const { ino, mtimeMs } = await stat(file);
    results.set(name, `${ino} ${mtimeMs} ${await readFile(file, "utf8")}`);
  }
  return results;
}

/** How many edits have come so far. */
async function countIn(folder: string, event: "begin" | "end"): Promise<number> {
  const log = await readFile(path.join(folder, "log"), "utf8").catch(() => "");
  return log.split("\n").filter((line) => line.startsWith(`${event} `)).length;
}
const PATIENCE = { timeout: 60_000 };

const recordsOf = async (folder: string): Promise<{ event: string; key: string; output: string }[]> =>
  (await readFile(path.join(folder, "out/.retouch-batch/journal.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("a batch that is killed at random moments", () => {
  it("ends with every result made once, whole, with the seed that was planned", async () => {
    const folder = await newBatch(EDITS);
    const random = randomNumbers(11);
    let before = new Map<string, string>();
    let kills = 0;
    for (;;) {
      const { child, ended } = start(folder, 1);
      // Every fifth dies at a moment of its start, its plan or its first edits, the others among edits.
      let after = kills % 5 === 0 ? 0 : 1 + Math.floor(random() * 12);
      const kill = (ms: number) => setTimeout(() => child.kill("SIGKILL"), ms);
      const timers = after === 0 ? [kill(100 + random() * 700)] : [];
      child.stderr!.on("data", (chunk: Buffer) => {
        after -= chunk.toString().match(/ done: /g)?.length ?? 0;
        if (timers.length === 0 && after <= 0) timers.push(kill(random() * 12));
      });
      const { code, stderr } = await ended;
      timers.forEach(clearTimeout);
      const now = await resultsIn(folder);
      // What was there is there, and is the same file.
      for (const [name, what] of before) expect(now.get(name), name).toBe(what);
      before = now;
      if (code !== null) {
        expect([code, stderr.match(/failed/)]).toEqual([0, null]);
        break;
      }
      kills += 1;
    }
    expect(kills).toBeGreaterThan(3);

    const records = await recordsOf(folder);
    const outputs = new Map(records.filter(({ event }) => event === "planned").map((one) => [one.key, one]));
    expect(outputs.size).toBe(EDITS);
    for (const event of ["made", "done"]) {
      const keys = records.filter((one) => one.event === event).map(({ key }) => key);
      expect([event, keys.length, new Set(keys).size]).toEqual([event, EDITS, EDITS]);
    }
    expect(before.size).toBe(EDITS);
    for (const { output, seed } of outputs.values() as Iterable<{ output: string; seed?: number }>) {
      const prompt = `edit-${path.parse(output).name}`;
      expect(before.get(output)!.split(" ").slice(2)).toEqual([prompt, String(seed), "1"]);
    }
    // An edit whose end was noted was not begun again, but for the one that was running when the process was killed.
    const log = (await readFile(path.join(folder, "log"), "utf8")).split("\n");
    const begun = log.filter((line) => line.startsWith("begin ")).length;
    expect(begun).toBeLessThanOrEqual(EDITS + kills);

    const left = (await readdir(path.join(folder, "out"), { recursive: true })).filter((name) =>
      /\.tmp$|lock/.test(name),
    );
    expect(left).toEqual([]);
    const rows = (await readFile(path.join(folder, "out/retouch-batch.csv"), "utf8")).split("\r\n");
    expect(rows.filter((row) => row.includes(",done,"))).toHaveLength(EDITS);
  });
});

describe("a second process on the same folder", () => {
  it("is refused in one sentence, and after the first one's death goes on at once", async () => {
    const folder = await newBatch(3);
    const first = start(folder, 60_000);
    await expect.poll(() => countIn(folder, "begin"), PATIENCE).toBeGreaterThan(0);
    const second = await start(folder).ended;
    expect(second).toEqual({
      code: 1,
      stderr: `The output folder out is in use by process ${first.child.pid}.\n`,
    });
    first.child.kill("SIGKILL");
    await first.ended;
    const third = await start(folder).ended;
    expect(third.code).toBe(0);
    expect((await resultsIn(folder)).size).toBe(3);
  });
});

describe("a batch that is interrupted", () => {
  it("ends cleanly, says how far it came, and goes on", async () => {
    const folder = await newBatch(20);
    const { child, ended } = start(folder, 40);
    await expect.poll(() => countIn(folder, "end"), PATIENCE).toBeGreaterThan(2);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/retouch: \d+ of 20 edits are done; run the same command again to continue\.\n/);
    const done = (await resultsIn(folder)).size;
    expect(done).toBeLessThan(20);
    const rows = (await readFile(path.join(folder, "out/retouch-batch.csv"), "utf8")).split("\r\n");
    expect(rows.filter((row) => row.includes(",done,"))).toHaveLength(done);
    expect(rows.filter((row) => row.includes(",waiting,"))).toHaveLength(20 - done);
    expect((await start(folder).ended).code).toBe(0);
    expect((await resultsIn(folder)).size).toBe(20);
  });
});
