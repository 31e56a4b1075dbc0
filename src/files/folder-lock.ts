/**
 * Ensures that a folder has one owner: two processes on one embedded database lose rows without an error, and two on
 * one batch make every result twice. A second process is refused at once; `lock.ts` lets it wait instead.
 *
 * The lock is the folder `lock` with one file in it, which says who the owner is and has a name unique to
 * that owner. It is taken by renaming a prepared folder onto it, which the system does only while `lock` is
 * missing or empty: whoever comes second fails. The file of a dead owner is removed by its name, so that of
 * several processes that find it, none can remove the lock of the one that was faster.
 */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, RetouchError } from "../errors.ts";
import { identifyThisProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";

export interface FolderLock {
  /** Aborts when the lock is lost: removed by hand, or after this process stood still for over a lease. */
  readonly lost: AbortSignal;
  /** Frees the folder for the next owner. May be called more than once. */
  release(): Promise<void>;
}

export interface LockFolderOptions {
  /** How often the owner shows that it is alive. @default 2000 */
  beatMs?: number | undefined;
  /**
   * Silence after which an owner that cannot be looked up, such as in another container, counts as dead.
   * @default 10,000
   */
  silenceMs?: number | undefined;
  /** What sentences begin with. @default "The data folder" and its path */
  called?: string | undefined;
}

interface Owner extends ProcessIdentity {
  host: string;
}

/** An owner's file, in a folder that is renamed to `lock`. */
interface Claim {
  owner: Owner;
  folder: string;
  /** Name of the file; no two are equal. */
  name: string;
  bytes: Uint8Array;
}

const POLL_MS = 100;
/** Age at which leftovers of a killed, unsuccessful claim are removed. */
const LEFTOVER_MS = 60_000;
const LEFTOVER = /^lock\.[A-Za-z0-9]{6}$/;
/** An attempt fails only if another process was faster; that one is then alive, or has freed the lock. */
const MAX_ATTEMPTS = 1000;

/**
 * Takes the lock of `folder`, which is created if missing. An owner that was killed on this machine is
 * replaced at once; one that cannot be looked up from here is watched until it shows that it is alive or has
 * been silent too long.
 * @throws RetouchError DATA_DIR_IN_USE, DATABASE_UNAVAILABLE (the folder cannot be written)
 */
export async function lockFolder(folder: string, options: LockFolderOptions = {}): Promise<FolderLock> {
  const { beatMs = 2000, silenceMs = 10_000, called = `The data folder ${folder}` } = options;
  const lock = path.join(path.resolve(folder), "lock");
  try {
    await mkdir(path.dirname(lock), { recursive: true, mode: 0o700 });
    const claim = await prepareClaim(lock);
    try {
      const owner = await contend(lock, claim, silenceMs);
      if (owner !== undefined) throw inUse(called, owner, claim.owner);
    } finally {
      await rm(claim.folder, { recursive: true, force: true });
    }
    // Leftovers that stay are no reason not to start.
    await removeLeftovers(lock, claim).catch(() => {});
    return hold(lock, claim, beatMs);
  } catch (cause) {
    if (cause instanceof RetouchError) throw cause;
    const message = `${called} cannot be locked: ${messageOf(cause)}.`;
    throw new RetouchError("DATABASE_UNAVAILABLE", message, { cause });
  }
}

/** @returns undefined once the lock is ours, or the owner that has it */
async function contend(lock: string, claim: Claim, silenceMs: number): Promise<Partial<Owner> | undefined> {
  // Not every system renames onto an empty folder, or reports clearly why it does not.
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
    // A beat that cannot be written, such as on a full disk, is made up for by the next one.
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

/**
 * Rewrites an owner's file in place, so that no reader finds half of it.
 * @returns when, by the file system's clock
 */
async function giveSign(file: string, { bytes }: Claim): Promise<number> {
  const handle = await open(file, "r+");
  try {
    await handle.write(bytes);
    return (await handle.stat()).mtimeMs;
  } finally {
    await handle.close();
  }
}

/** Removes what dead owners left in `lock`. @returns an owner that is alive */
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

/** Watches an owner that cannot be looked up. Both times are the file system's: machines' clocks differ. */
async function givesSigns(file: string, claim: Claim, silenceMs: number): Promise<boolean> {
  const started = performance.now();
  let first: number | undefined;
  for (;;) {
    const now = await giveSign(path.join(claim.folder, claim.name), claim);
    const last = (await stat(file).catch(unless("ENOENT")))?.mtimeMs;
    if (last === undefined) return false;
    first ??= last;
    if (last !== first) return true;
    // The second check is for a file from the future, as a clock that was set back leaves it.
    if (now - last > silenceMs || performance.now() - started > silenceMs) return false;
    await sleep(POLL_MS);
  }
}

/** @returns an empty record if this is not an owner's file: its age decides then */
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

function inUse(called: string, { pid, host }: Partial<Owner>, here: Owner): RetouchError {
  const who = pid === undefined ? "another process" : `process ${pid}`;
  const where = host === undefined || host === here.host ? "" : ` on ${host}`;
  return new RetouchError("DATA_DIR_IN_USE", `${called} is in use by ${who}${where}.`);
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(unless("ENOENT", "ENOTEMPTY", "EEXIST"));
}

/** For `catch`: returns undefined instead of a system error with one of these codes. */
function unless(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(codeOf(error))) throw error;
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}
