/** The edits made in this browser, with their images, in IndexedDB; if too many, the oldest are deleted. */
import type { JobOutput, PreserveShares } from "./api.ts";
import { committed, settled } from "./indexed-db.ts";
import type { Parameters } from "./parameters.ts";

export interface EditRecord {
  /** Where it was submitted, `/v2/NAME`; absent in records of earlier versions, which knew one endpoint. */
  endpoint?: string;
  id: string;
  jobId: string;
  createdAt: number;
  prompt: string;
  parameters: Parameters;
  status: "running" | "completed" | "failed" | "cancelled";
  /** The image that was edited; absent if the model drew without one. */
  source?: Blob;
  /** Path on this server, if the source is one of the examples. */
  sourceUrl?: string;
  /** The images sent beside the source, in order; absent in records of earlier versions. */
  others?: readonly OtherImage[];
  /** The edit whose result is the source, and the first source of that chain. */
  parentId?: string;
  original?: Blob;
  /** White where the source may change; as large as the source. */
  mask?: Blob;
  /** The chosen one, if there are several. */
  result?: Blob;
  /** All of them, in the order of their seeds; absent where there is one. */
  results?: readonly OneResult[];
  /** Which of them is chosen. @default 0 */
  chosen?: number;
  /** Which pixels of the result were copied, carried over and drawn. */
  map?: Blob;
  output?: Partial<JobOutput>;
  executionMs?: number;
  error?: string;
  /** Kept when the oldest edits are deleted. @default false */
  isStarred?: boolean;
  /** Difference between the result and the first source of its chain, 0 to 1. */
  differenceFromOriginal?: number;
}

export interface OneResult {
  bytes: Blob;
  seed: number;
  shares?: PreserveShares;
  map?: Blob;
}

export interface OtherImage {
  bytes: Blob;
  /** Path on this server, if it is one of the examples. */
  url?: string;
}

export interface HistoryStore {
  /** @throws if the browser has no more space */
  put(record: EditRecord): Promise<void>;
  get(id: string): Promise<EditRecord | undefined>;
  /** Newest first. */
  list(): Promise<EditRecord[]>;
  delete(id: string): Promise<void>;
  clear(): Promise<void>;
}

const DATABASE = "retouch";
const STORE = "edits";
export const MAX_BYTES = 200 * 2 ** 20;
export const MAX_RECORDS = 200;

export function sizeOf({ source, others = [], result, results, map, original, mask }: EditRecord): number {
  const drawn = results ? results.flatMap((one) => [one.bytes, one.map]) : [result, map];
  const blobs = [source, ...others.map(({ bytes }) => bytes), ...drawn, original, mask];
  return blobs.reduce((sum, blob) => sum + (blob?.size ?? 0), 0);
}

/** @throws if the browser lets pages store nothing */
export async function openHistory(): Promise<HistoryStore> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => {
    opening.result.createObjectStore(STORE, { keyPath: "id" }).createIndex("createdAt", "createdAt");
  });
  const database = await settled(opening);
  const store = (mode: IDBTransactionMode): IDBObjectStore =>
    database.transaction(STORE, mode).objectStore(STORE);
  const change = (make: (edits: IDBObjectStore) => IDBRequest): Promise<void> => {
    const edits = store("readwrite");
    make(edits);
    return committed(edits.transaction);
  };

  async function list(): Promise<EditRecord[]> {
    const records = await settled<EditRecord[]>(store("readonly").index("createdAt").getAll());
    return records.toReversed();
  }

  /** Running and starred edits stay, whatever their age. */
  async function makeRoom(): Promise<void> {
    let bytes = 0;
    for (const [index, record] of (await list()).entries()) {
      bytes += sizeOf(record);
      const isTooMuch = index >= MAX_RECORDS || bytes > MAX_BYTES;
      if (isTooMuch && index > 0 && record.status !== "running" && !record.isStarred)
        await change((edits) => edits.delete(record.id));
    }
  }

  return {
    async put(record) {
      await change((edits) => edits.put(record));
      await makeRoom();
    },
    get: (id) => settled<EditRecord | undefined>(store("readonly").get(id)),
    list,
    delete: (id) => change((edits) => edits.delete(id)),
    clear: () => change((edits) => edits.clear()),
  };
}

/** For a browser that stores nothing: the history lasts as long as the page is open. */
export function createUnkeptHistory(): HistoryStore {
  const records = new Map<string, EditRecord>();
  return {
    put: async (record) => void records.set(record.id, record),
    get: async (id) => records.get(id),
    list: async () => [...records.values()].toReversed(),
    delete: async (id) => void records.delete(id),
    clear: async () => records.clear(),
  };
}
