/** The chosen images while the page is loaded anew for another model. */
import { committed, settled } from "./indexed-db.ts";
import { randomId } from "./random-id.ts";
import type { SourcePicture } from "./source-picture.ts";

const DATABASE = "retouch-draft";
const STORE = "drafts";
/** The name of this tab's draft: the database is every tab's. */
const ID = "retouch-draft";

async function open(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(STORE));
  return settled(opening);
}

/** Keeps them for the page that comes next in this tab. A browser that lets pages store nothing forgets them. */
export async function keepDraft(pictures: readonly SourcePicture[]): Promise<void> {
  try {
    const database = await open();
    const transaction = database.transaction(STORE, "readwrite");
    const id = randomId();
    // Drafts of tabs that were closed on the way.
    transaction.objectStore(STORE).clear();
    transaction.objectStore(STORE).put(pictures, id);
    await committed(transaction);
    database.close();
    sessionStorage.setItem(ID, id);
  } catch {
    sessionStorage.removeItem(ID);
  }
}

/** What was kept, once; undefined if nothing was. */
export async function takeDraft(): Promise<readonly SourcePicture[] | undefined> {
  const id = sessionStorage.getItem(ID);
  if (id === null) return undefined;
  sessionStorage.removeItem(ID);
  try {
    const database = await open();
    const drafts = database.transaction(STORE, "readwrite").objectStore(STORE);
    const kept = await settled<readonly SourcePicture[] | undefined>(drafts.get(id));
    drafts.delete(id);
    database.close();
    return kept;
  } catch {
    return undefined;
  }
}
