/**
 * Holds the valid keys in memory, by hash: an unknown key costs no query, however many somebody makes up. All
 * keys are read together, every few seconds at most, and at once after news of them. If there are more than
 * fit, they are looked up individually, in batches, one query after the other. Hits and misses are then
 * remembered separately, so that made-up keys evict none that exist.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ApiKey } from "./contracts.ts";

/** A valid key: its hash in base64, and its record. */
export type KnownKey = readonly [hash: string, record: ApiKey];

export interface KnownKeys {
  /** @throws as `source` */
  find(hash: string): Promise<ApiKey | undefined>;
  /** Discards what is remembered or being read, because something changed. */
  forget(): void;
}

export interface KeySource {
  /** All valid keys, or `limit` of them. */
  readAll(limit: number): Promise<KnownKey[]>;
  /** The valid keys among these. */
  read(hashes: readonly string[]): Promise<KnownKey[]>;
}

export interface KnownKeysOptions {
  /** How many keys, and how many unknown ones, are kept in memory. @default 10,000 */
  maxKeys?: number | undefined;
  /** How long what was read stays valid, in case news of a change is lost. @default 5000 */
  maxAgeMs?: number | undefined;
  /** Age of the snapshot from which a missing key is looked up again in a fresh one. @default 1000 */
  missAgeMs?: number | undefined;
}

/** Between two queries for single keys. */
const PAUSE_MS = 20;
const MAX_IN_QUERY = 1000;

interface Snapshot {
  readAt: number;
  keys: ReadonlyMap<string, ApiKey>;
  /** Whether these are all keys. */
  isWhole: boolean;
}

export function createKnownKeys(source: KeySource, options: KnownKeysOptions = {}): KnownKeys {
  const { maxKeys = 10_000, maxAgeMs = 5000, missAgeMs = 1000 } = options;
  let snapshot: Snapshot | undefined;
  let reading: Promise<Snapshot> | undefined;
  let lookups = createLookups(source, maxKeys, maxAgeMs);

  /** Reads one snapshot at a time. One begun before a change goes only to those already waiting for it. */
  function readAll(): Promise<Snapshot> {
    const readAt = performance.now();
    const own = source.readAll(maxKeys + 1).then((found) => {
      const fresh = { readAt, keys: new Map(found), isWhole: found.length <= maxKeys };
      if (reading === own) snapshot = fresh;
      return fresh;
    });
    reading = own;
    const end = (): void => {
      if (reading === own) reading = undefined;
    };
    own.then(end, end);
    return own;
  }

  /** A snapshot read at most `ageMs` ago. */
  async function atMost(ageMs: number): Promise<Snapshot> {
    if (snapshot !== undefined && performance.now() - snapshot.readAt < ageMs) return snapshot;
    return reading ?? readAll();
  }

  return {
    async find(hash) {
      const { keys, isWhole } = await atMost(maxAgeMs);
      if (!isWhole) return lookups.find(hash);
      return keys.get(hash) ?? (await atMost(missAgeMs)).keys.get(hash);
    },
    forget() {
      snapshot = reading = undefined;
      lookups = createLookups(source, maxKeys, maxAgeMs);
    },
  };
}

/** Lookups for more keys than fit into memory. */
function createLookups(source: KeySource, max: number, maxAgeMs: number): Pick<KnownKeys, "find"> {
  const known = createRecent<ApiKey>(max, maxAgeMs);
  const unknown = createRecent<true>(max, maxAgeMs);
  const waiting = new Map<string, Answer>();
  let isAsking = false;

  async function ask(): Promise<void> {
    isAsking = true;
    while (waiting.size > 0) {
      const asked = [...waiting].slice(0, MAX_IN_QUERY);
      for (const [hash] of asked) waiting.delete(hash);
      try {
        const found = new Map(await source.read(asked.map(([hash]) => hash)));
        for (const [hash, { resolve }] of asked) {
          const record = found.get(hash);
          if (record) known.set(hash, record);
          else unknown.set(hash, true);
          resolve(record);
        }
      } catch (error) {
        for (const [, { reject }] of asked) reject(error);
      }
      await delay(PAUSE_MS);
    }
    isAsking = false;
  }

  return {
    async find(hash) {
      const record = known.get(hash);
      if (record !== undefined || unknown.get(hash)) return record;
      const answer = waiting.get(hash) ?? createAnswer();
      waiting.set(hash, answer);
      if (!isAsking) void ask();
      return answer.promise;
    },
  };
}

/** The answer to a query that has yet to be made. */
interface Answer {
  promise: Promise<ApiKey | undefined>;
  resolve: (record: ApiKey | undefined) => void;
  reject: (error: unknown) => void;
}

function createAnswer(): Answer {
  const answer = {} as Answer;
  answer.promise = new Promise((resolve, reject) => Object.assign(answer, { resolve, reject }));
  return answer;
}

interface Recent<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/** Keeps each value for a time, and evicts the least recently used when there are too many. */
function createRecent<Value>(max: number, maxAgeMs: number): Recent<Value> {
  const entries = new Map<string, { value: Value; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (entry.until <= performance.now()) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value) {
      entries.set(key, { value, until: performance.now() + maxAgeMs });
      if (entries.size > max) entries.delete(entries.keys().next().value!);
    },
  };
}
