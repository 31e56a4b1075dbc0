/**
 * Which keys there are, by their hashes, in memory: a key that is not there costs no query, however many somebody makes
 * up. All are read at once, every few seconds at most, and again at once after news of them. Where there are more than
 * fit, they are asked for one by one: together in one query after the other, and what was found is remembered apart from
 * what was not, so that keys that are made up drive out none that exist.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ApiKey } from "./contracts.ts";

/** A key that counts: its hash in base64, and its record. */
export type KnownKey = readonly [hash: string, record: ApiKey];

export interface KnownKeys {
  /** @throws as `source` */
  find(hash: string): Promise<ApiKey | undefined>;
  /** Something changed: what is remembered or on its way counts no more. */
  forget(): void;
}

export interface KeySource {
  /** All keys that count, or `limit` of them. */
  readAll(limit: number): Promise<KnownKey[]>;
  /** Those that count among these. */
  read(hashes: readonly string[]): Promise<KnownKey[]>;
}

export interface KnownKeysOptions {
  /** Keys that are kept in memory, and those that are not there. @default 10,000 */
  maxKeys?: number | undefined;
  /** How long what was read counts, should news of a change be lost. @default 5000 */
  maxAgeMs?: number | undefined;
  /** A key that is not there is looked for again in what was read so long ago. @default 1000 */
  missAgeMs?: number | undefined;
}

/** Between two queries for single keys. */
const PAUSE_MS = 20;
const MAX_IN_QUERY = 1000;

interface Snapshot {
  readAt: number;
  keys: ReadonlyMap<string, ApiKey>;
  /** Whether there are no others. */
  isWhole: boolean;
}

export function createKnownKeys(source: KeySource, options: KnownKeysOptions = {}): KnownKeys {
  const { maxKeys = 10_000, maxAgeMs = 5000, missAgeMs = 1000 } = options;
  let snapshot: Snapshot | undefined;
  let reading: Promise<Snapshot> | undefined;
  let lookups = createLookups(source, maxKeys, maxAgeMs);

  /** One at a time. What was asked before a change and answered after it is left to those who had asked. */
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

  /** What was read at most so long ago. */
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

/** For more keys than fit into memory. */
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

/** Of a query that is still to be made. */
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

/** Keeps each value for a time, and forgets what was asked for longest ago where there are too many. */
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
