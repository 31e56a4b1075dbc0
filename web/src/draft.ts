/** What this tab is working on, for when its page is loaded anew: the form, and which edit is on the stage. */
import type { FormSnapshot } from "./form-snapshot.ts";
import { committed, settled } from "./indexed-db.ts";
import { randomId } from "./random-id.ts";
import type { SourcePicture } from "./source-picture.ts";

export interface Draft {
  /** Whose parameters they are, `/v2/NAME`. */
  endpoint: string;
  pictures: readonly SourcePicture[];
  prompt: string;
  parameters: FormSnapshot;
  mask: Blob | undefined;
  /** The edit on the stage. */
  shownId: string | undefined;
}

export interface DraftKeeper {
  /** Keeps what there is now, soon. */
  changed(): void;
  /** Keeps it at once. A browser that lets pages store nothing forgets it. */
  keep(): Promise<void>;
}

const DATABASE = "retouch-draft";
const STORE = "drafts";
/** The name of this tab's draft: the database is every tab's. */
const ID = "retouch-draft";
const SOON_MS = 300;
/** Drafts of tabs that were closed are dropped after this. */
const KEPT_MS = 24 * 60 * 60_000;

async function open(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(STORE));
  return settled(opening);
}

/** @param read what is kept */
export function createDraftKeeper(read: () => Promise<Draft>): DraftKeeper {
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function keep(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    try {
      const draft = await read();
      const database = await open();
      const transaction = database.transaction(STORE, "readwrite");
      const drafts = transaction.objectStore(STORE);
      const id = sessionStorage.getItem(ID) ?? randomId();
      drafts.put({ ...draft, keptAt: Date.now() }, id);
      await committed(transaction);
      database.close();
      sessionStorage.setItem(ID, id);
    } catch {
      // The page goes on; after a reload the form is empty.
    }
  }

  addEventListener("visibilitychange", () => document.hidden && timer !== undefined && void keep());
  addEventListener("pagehide", () => timer !== undefined && void keep());
  return {
    keep,
    changed() {
      clearTimeout(timer);
      timer = setTimeout(() => void keep(), SOON_MS);
    },
  };
}

/** What this tab kept, if it kept something. */
export async function readDraft(): Promise<Draft | undefined> {
  try {
    const id = sessionStorage.getItem(ID);
    const database = await open();
    const drafts = database.transaction(STORE, "readwrite").objectStore(STORE);
    const [ids, all] = await Promise.all([
      settled(drafts.getAllKeys()),
      settled<(Draft & { keptAt?: number })[]>(drafts.getAll()),
    ]);
    for (const [index, { keptAt = 0 }] of all.entries())
      if (Date.now() - keptAt > KEPT_MS && ids[index] !== id) drafts.delete(ids[index]!);
    database.close();
    const own = id === null ? undefined : all[ids.indexOf(id)];
    // One of an earlier version is a list of images alone.
    return own !== undefined && "pictures" in own ? own : undefined;
  } catch {
    return undefined;
  }
}
