import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { lockFolder } from "../../src/files/folder-lock.ts";
import { identifyThisProcess } from "../../src/files/process-identity.ts";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const CONTENDER = fileURLToPath(new URL("lock-contender.mjs", import.meta.url));
const inUse = (message: string | RegExp): unknown => refusal("DATA_DIR_IN_USE", message);

interface Contender {
  process: ChildProcess;
  /** @returns the answer, or the signal that ended the process */
  tell(...command: unknown[]): Promise<unknown>;
}

async function startContender(): Promise<Contender> {
  const child = fork(CONTENDER);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return {
    process: child,
    tell: (...command) =>
      new Promise((resolve) => {
        const onMessage = (answer: unknown): void => finish(answer);
        const onExit = (_code: number | null, signal: string | null): void => finish(signal);
        const finish = (answer: unknown): void => {
          child.off("message", onMessage).off("exit", onExit);
          resolve(answer);
        };
        child.on("message", onMessage).on("exit", onExit);
        child.send(command);
      }),
  };
}

const startContenders = (count: number): Promise<Contender[]> =>
  Promise.all(Array.from({ length: count }, startContender));

/** A folder that is locked by a process that was killed since. */
async function folderOfDeadOwner(): Promise<string> {
  const folder = await temporaryFolder();
  const owner = await startContender();
  expect(await owner.tell("take", folder)).toBe("won");
  owner.process.kill("SIGKILL");
  await once(owner.process, "exit");
  return folder;
}

/** Puts a lock into the folder that says what an owner could have said. */
async function writeLock(folder: string, owner: unknown, { ageMs = 0 } = {}): Promise<string> {
  const file = path.join(folder, "lock", "an-owner");
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, typeof owner === "string" ? owner : JSON.stringify(owner));
  const time = new Date(Date.now() - ageMs);
  await utimes(file, time, time);
  return file;
}

const elsewhere = { pid: 7, startedAt: "1", system: "another system", host: "c0ffee" };

/** With this, no test lives to see the end of a silence: what it waits for comes at once, or it fails. */
const NEVER = { silenceMs: 600_000 };

async function secondsOf(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return (performance.now() - started) / 1000;
}

describe("the lock of the data folder", () => {
  it("makes the folder, for its owner's eyes only, and leaves nothing in it when it is given back", async () => {
    const folder = path.join(await temporaryFolder(), "made", "for-it");
    const lock = await lockFolder(folder);
    const [name] = await readdir(path.join(folder, "lock"));
    const modes = [folder, path.join(folder, "lock"), path.join(folder, "lock", name!)].map(
      async (file) => (await stat(file)).mode & 0o777,
    );
    if (process.platform !== "win32") expect(await Promise.all(modes)).toEqual([0o700, 0o700, 0o600]);
    expect(await readdir(folder)).toEqual(["lock"]);

    await lock.release();
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is refused to a second owner in one sentence with the folder and the process, and free again afterwards", async () => {
    const folder = await temporaryFolder();
    const lock = await lockFolder(folder);
    const sentence = `The data folder ${folder} is in use by process ${process.pid}.`;
    await expect(lockFolder(folder)).rejects.toThrow(inUse(sentence));
    const other = await startContender();
    expect(await other.tell("take", folder)).toBe(sentence);
    expect(await readdir(folder)).toEqual(["lock"]);

    await lock.release();
    expect(await other.tell("take", folder)).toBe("won");
    await expect(lockFolder(folder)).rejects.toThrow(
      inUse(`The data folder ${folder} is in use by process ${other.process.pid}.`),
    );
  });

  it("stays the new owner's when the old one gives it back", async () => {
    const folder = await temporaryFolder();
    const old = await lockFolder(folder);
    await rm(path.join(folder, "lock"), { recursive: true });
    const present = await lockFolder(folder);
    await old.release();
    await expect(lockFolder(folder)).rejects.toThrow(inUse(/is in use by process/));
    await present.release();
  });

  it("tells its owner when it was taken away", async () => {
    const folder = await temporaryFolder();
    const lock = await lockFolder(folder, { beatMs: 10 });
    expect(lock.lost.aborted).toBe(false);
    const lost = once(lock.lost, "abort");
    await rm(path.join(folder, "lock"), { recursive: true });
    await lost;
    expect(lock.lost.aborted).toBe(true);
    await lock.release();
  });

  it("is refused with the reason where nothing can be written", async ({ skip }) => {
    if (noPermissionsHere) skip(noPermissionsHere);
    const folder = await temporaryFolder();
    await chmod(folder, 0o555);
    await expect(asOrdinaryUser(() => lockFolder(folder))).rejects.toThrow(
      refusal("DATABASE_UNAVAILABLE", /^The data folder \S+ cannot be locked: EACCES: permission denied/),
    );
  });

  it("is refused with the reason where the folder is a file", async () => {
    const file = path.join(await temporaryFolder(), "file");
    await writeFile(file, "");
    await expect(lockFolder(file)).rejects.toThrow(
      refusal("DATABASE_UNAVAILABLE", /^The data folder \S+ cannot be locked: /),
    );
  });
});

describe("a lock that a dead owner left", () => {
  it("is taken over at once after kill -9", async () => {
    const folder = await folderOfDeadOwner();
    const { release } = await lockFolder(folder, NEVER);
    expect(await readdir(path.join(folder, "lock"))).toHaveLength(1);
    await release();
  });

  it("is taken over at once although the parent has not yet asked after the killed process", async ({
    skip,
  }) => {
    if (process.platform !== "linux") skip("another operating system: this one has no /proc");
    const folder = await temporaryFolder();
    const program = `
      import { lockFolder } from ${JSON.stringify(new URL("../../dist/files/folder-lock.js", import.meta.url).href)};
      await lockFolder(${JSON.stringify(folder)});
      console.log(process.pid);
      setInterval(() => {}, 1000);`;
    // The shell becomes a program that knows nothing of its child.
    const shell = spawn("sh", [
      "-c",
      '"$0" --input-type=module -e "$1" & exec sleep 60',
      process.execPath,
      program,
    ]);
    onTestFinished(() => void shell.kill("SIGKILL"));
    const pid = Number(String((await once(shell.stdout, "data"))[0]));
    process.kill(pid, "SIGKILL");
    await expect
      .poll(async () => (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]![0], { interval: 5 })
      .toBe("Z");
    await (await lockFolder(folder)).release();
  });

  it("is taken over although another process has its number now", async () => {
    const folder = await temporaryFolder();
    const { pid, startedAt, system } = await identifyThisProcess();
    await writeLock(folder, { pid, startedAt: `${startedAt}0`, system, host: hostname() });
    await (await lockFolder(folder)).release();
  });

  it.each([
    ["of another container, or from before a reboot,", elsewhere],
    ["that is no owner's file", "{}"],
    ["that is empty", ""],
  ])("%s is taken over at once when it was silent for long", async (_, owner) => {
    const folder = await temporaryFolder();
    await writeLock(folder, owner, { ageMs: NEVER.silenceMs + 1000 });
    await (await lockFolder(folder, NEVER)).release();
  });

  it("of another container is taken over after the rest of its silence", async () => {
    const folder = await temporaryFolder();
    await writeLock(folder, elsewhere);
    expect(
      await secondsOf(async () => (await lockFolder(folder, { silenceMs: 400 })).release()),
    ).toBeGreaterThan(0.3);
  });

  it("of another container is taken over after its silence although a clock was set back", async () => {
    const folder = await temporaryFolder();
    await writeLock(folder, elsewhere, { ageMs: -3_600_000 });
    await (await lockFolder(folder, { silenceMs: 300 })).release();
  });

  it("with what a killed contender left beside it is tidied up, but for the young", async () => {
    const folder = await temporaryFolder();
    for (const name of ["lock.AAAAAA", "lock.BBBBBB", "lock.notes.txt"]) await mkdir(path.join(folder, name));
    const long = new Date(Date.now() - 120_000);
    for (const name of ["lock.AAAAAA", "lock.notes.txt"]) await utimes(path.join(folder, name), long, long);
    const lock = await lockFolder(folder);
    expect((await readdir(folder)).toSorted()).toEqual(["lock", "lock.BBBBBB", "lock.notes.txt"]);
    await lock.release();
  });
});

describe("a lock of another container or machine", () => {
  it("is refused as soon as its owner gives a sign of life", async () => {
    const folder = await temporaryFolder();
    const file = await writeLock(folder, elsewhere, { ageMs: 5000 });
    const signs = setInterval(() => void utimes(file, new Date(), new Date()), 200);
    onTestFinished(() => clearInterval(signs));
    await expect(lockFolder(folder, NEVER)).rejects.toThrow(
      inUse(`The data folder ${folder} is in use by process 7 on c0ffee.`),
    );
    expect(await readdir(folder)).toEqual(["lock"]);
  });

  it("gives signs of life that others see", async () => {
    const folder = await temporaryFolder();
    const lock = await lockFolder(folder, { beatMs: 20 });
    const [name] = await readdir(path.join(folder, "lock"));
    const file = path.join(folder, "lock", name!);
    const content = await readFile(file, "utf8");
    const { mtimeMs } = await stat(file);
    await expect.poll(async () => (await stat(file)).mtimeMs, { interval: 10 }).toBeGreaterThan(mtimeMs);
    expect(await readFile(file, "utf8")).toBe(content);
    await lock.release();
  });
});

describe("processes that want the lock at the same moment", () => {
  it("see one of them win over a dead owner's lock, every time", { timeout: 120_000 }, async () => {
    const stale = await folderOfDeadOwner();
    const contenders = await startContenders(8);
    const folder = await temporaryFolder();
    for (let round = 0; round < 50; round += 1) {
      const data = path.join(folder, String(round));
      await cp(stale, data, { recursive: true });
      const answers = await Promise.all(contenders.map(({ tell }) => tell("take", data)));
      const winner = contenders[answers.indexOf("won")]!;
      const sentence = `The data folder ${data} is in use by process ${winner.process.pid}.`;
      expect(answers.toSorted(), `round ${round}`).toEqual(
        [...Array<string>(7).fill(sentence), "won"].toSorted(),
      );
      await winner.tell("release");
      expect(await readdir(data)).toEqual([]);
    }
  });

  it("lose nothing of a number that each raises under the lock", { timeout: 120_000 }, async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, "number");
    await writeFile(file, "0");
    const contenders = await startContenders(4);
    const answers = await Promise.all(contenders.map(({ tell }) => tell("count", folder, file, 50)));
    expect(answers).toEqual(Array(4).fill("counted"));
    expect(await readFile(file, "utf8")).toBe("200");
  });

  it("lose nothing of it either when each dies as the owner", { timeout: 120_000 }, async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, "number");
    await writeFile(file, "0");
    const contenders = await startContenders(8);
    const ends = await Promise.all(contenders.map(({ tell }) => tell("countAndDie", folder, file)));
    expect(ends).toEqual(Array(8).fill("SIGKILL"));
    expect(await readFile(file, "utf8")).toBe("8");
  });
});
