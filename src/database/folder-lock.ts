/**
 * One owner for the data folder, since two processes on one embedded database lose rows without an error.
 *
 * The lock is the folder `lock` with one file in it, which says who the owner is and has a name that no other owner's
 * has. It is taken by renaming a prepared folder onto it, which the system does only while `lock` is missing or empty:
 * whoever comes second fails. What a dead owner left is removed by its name, so that of many who find it none can
 * remove the lock of the one that was faster.
 */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, RetouchError } from "../errors.ts";
import { identifyThisProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";

export interface FolderLock {
  /** Aborts when the lock was taken away: by hand, or because this process stood still for longer than a lease. */
  readonly lost: AbortSignal;
  /** Gives the folder free for the next owner. May be called more than once. */
  release(): Promise<void>;
}

export interface LockFolderOptions {
  /** How often the owner gives a sign of life. @default 2000 */
  beatMs?: number | undefined;
  /** Silence after which an owner that cannot be looked up, as in another container, is taken for dead. @default 10,000 */
  silenceMs?: number | undefined;
}

interface Owner extends ProcessIdentity {
  host: string;
}

/** An owner's file, in a folder that is put in the place of `lock`. */
interface Claim {
  owner: Owner;
  folder: string;
  /** Of the file; no two are alike. */
  name: string;
  bytes: Uint8Array;
}

const POLL_MS = 100;
/** What a claim that came to nothing leaves behind if it is killed goes after so long. */
const LEFTOVER_MS = 60_000;
const LEFTOVER = /^lock\.[A-Za-z0-9]{6}$/;
/** Each fails because another process was faster, which then is found alive, or has given the lock free again. */
const MAX_ATTEMPTS = 1000;

/**
 * Takes the lock of `folder`, which is made if it is missing. An owner that was killed on this machine is replaced at
 * once; one that cannot be looked up from here is waited for until it gives a sign of life or was silent too long.
 * @throws RetouchError DATA_DIR_IN_USE, DATABASE_UNAVAILABLE (the folder cannot be written)
 */
export async function lockFolder(folder: string, options: LockFolderOptions = {}): Promise<FolderLock> {
  const { beatMs = 2000, silenceMs = 10_000 } = options;
  const lock = path.join(path.resolve(folder), "lock");
  try {
    await mkdir(path.dirname(lock), { recursive: true, mode: 0o700 });
    const claim = await prepareClaim(lock);
    try {
      const owner = await contend(lock, claim, silenceMs);
      if (owner !== undefined) throw inUse(folder, owner, claim.owner);
    } finally {
      await rm(claim.folder, { recursive: true, force: true });
    }
    // Untidiness is no reason not to start.
    await removeLeftovers(lock, claim).catch(() => {});
    return hold(lock, claim, beatMs);
  } catch (cause) {
    if (cause instanceof RetouchError) throw cause;
    const message = `The data folder ${folder} cannot be locked: ${messageOf(cause)}.`;
    throw new RetouchError("DATABASE_UNAVAILABLE", message, { cause });
  }
}

/** @returns nothing once the lock is ours, or the owner that has it */
async function contend(lock: string, claim: Claim, silenceMs: number): Promise<Partial<Owner> | undefined> {
  // Not every system renames onto an empty folder, or says why it does not.
  const inTheWay = process.platform === "win32" ? ["EPERM", "EACCES", "EEXIST"] : ["ENOTEMPTY", "EEXIST"];
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rename(claim.folder, lock);
      return undefined;
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !inTheWay.includes(codeOf(error))) throw error;
    }
    const owner = await clearWay(lock, claim, silenceMs);
    if (owner !== undefined) return owner;
  }
}

function hold(lock: string, claim: Claim, beatMs: number): FolderLock {
  const lost = new AbortController();
  const file = path.join(lock, claim.name);
  let beating = Promise.resolve();
  const beat = async (): Promise<void> => {
    // A sign that cannot be given, as on a full disk, is made up for by the next.
    await giveSign(file, claim).catch((error) => codeOf(error) === "ENOENT" && lost.abort());
  };
  const timer = setInterval(() => (beating = beating.then(beat)), beatMs).unref();
  let releasing: Promise<void> | undefined;
  return {
    lost: lost.signal,
    release() {
      releasing ??= (async () => {
        clearInterval(timer);
        await beating;
        await unlink(file).catch(unless("ENOENT"));
        await removeIfEmpty(lock);
      })();
      return releasing;
    },
  };
}

async function prepareClaim(lock: string): Promise<Claim> {
  const owner: Owner = { ...(await identifyThisProcess()), host: hostname() };
  const bytes = Buffer.from(`${JSON.stringify(owner)}\n`);
  const claim = { owner, folder: await mkdtemp(`${lock}.`), name: randomUUID(), bytes };
  const handle = await open(path.join(claim.folder, claim.name), "wx", 0o600);
  try {
    await handle.write(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return claim;
}

/** Writes an owner's file over itself, so that no reader finds half of it. @returns when, by the file system's clock */
async function giveSign(file: string, { bytes }: Claim): Promise<number> {
  const handle = await open(file, "r+");
  try {
    await handle.write(bytes);
    return (await handle.stat()).mtimeMs;
  } finally {
    await handle.close();
  }
}

/** Removes what dead owners left in `lock`. @returns an owner that lives */
async function clearWay(lock: string, claim: Claim, silenceMs: number): Promise<Partial<Owner> | undefined> {
  for (const name of (await readdir(lock).catch(unless("ENOENT"))) ?? []) {
    const file = path.join(lock, name);
    const content = await readFile(file, "utf8").catch(unless("ENOENT"));
    if (content === undefined) continue;
    const owner = parseOwner(content);
    const isAlive =
      owner.system === claim.owner.system
        ? await isRunning(owner as Owner)
        : await givesSigns(file, claim, silenceMs);
    if (isAlive) return owner;
    await unlink(file).catch(unless("ENOENT"));
  }
  await removeIfEmpty(lock);
  return undefined;
}

/** Watches an owner that cannot be looked up. Both times are the file system's: clocks of machines differ. */
async function givesSigns(file: string, claim: Claim, silenceMs: number): Promise<boolean> {
  const started = performance.now();
  let first: number | undefined;
  for (;;) {
    const now = await giveSign(path.join(claim.folder, claim.name), claim);
    const last = (await stat(file).catch(unless("ENOENT")))?.mtimeMs;
    if (last === undefined) return false;
    first ??= last;
    if (last !== first) return true;
    // The second for a file from the future, as a clock that was set back leaves it.
    if (now - last > silenceMs || performance.now() - started > silenceMs) return false;
    await sleep(POLL_MS);
  }
}

/** @returns nothing of what is not an owner's file: that is judged by its age */
function parseOwner(content: string): Partial<Owner> {
  try {
    const { pid, startedAt, system, host } = JSON.parse(content) as Record<string, unknown>;
    const isWhole =
      Number.isSafeInteger(pid) && [startedAt, system, host].every((text) => typeof text === "string");
    return isWhole ? ({ pid, startedAt, system, host } as Owner) : {};
  } catch {
    return {};
  }
}

async function removeLeftovers(lock: string, claim: Claim): Promise<void> {
  const folder = path.dirname(lock);
  const now = await giveSign(path.join(lock, claim.name), claim);
  for (const name of await readdir(folder)) {
    const leftover = path.join(folder, name);
    if (!LEFTOVER.test(name)) continue;
    const { mtimeMs } = await stat(leftover);
    if (now - mtimeMs > LEFTOVER_MS) await rm(leftover, { recursive: true, force: true });
  }
}

function inUse(folder: string, { pid, host }: Partial<Owner>, here: Owner): RetouchError {
  const who = pid === undefined ? "another process" : `process ${pid}`;
  const where = host === undefined || host === here.host ? "" : ` on ${host}`;
  return new RetouchError("DATA_DIR_IN_USE", `The data folder ${folder} is in use by ${who}${where}.`);
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(unless("ENOENT", "ENOTEMPTY", "EEXIST"));
}

/** For `catch`: nothing in place of an error of the system that has one of these codes. */
function unless(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(codeOf(error))) throw error;
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}
