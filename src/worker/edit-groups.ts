/** The groups of edits in the engine process, while their members arrive. */
import { EditGroup, type GroupPlace } from "../engine/edit-group.ts";
import type { JobGroup } from "./protocol.ts";

export class EditGroups {
  readonly #open = new Map<string, { group: EditGroup; missing: number }>();

  /** The place of the next edit of a group; an edit without one has a group of its own. */
  placeIn(job: JobGroup | undefined): GroupPlace {
    if (job === undefined) return new EditGroup().place();
    const { id, size } = job;
    const open = this.#open.get(id) ?? { group: new EditGroup(size), missing: size };
    open.missing -= 1;
    if (open.missing > 0) this.#open.set(id, open);
    else this.#open.delete(id);
    return open.group.place();
  }
}
