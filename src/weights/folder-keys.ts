/** Recognises files of another layout in a checkpoint's folder, before a configuration that is fine is blamed for them. */
import { RetouchError } from "../errors.ts";
import { layoutOf, mismatchOf, otherFileOf, packingOf, type Wanted } from "./network-keys.ts";
import { READABLE_TYPES, type WeightSet } from "./weight-set.ts";

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, saying what the file is instead */
export function assertFolderOf(wanted: Wanted, weights: WeightSet): void {
  const entries = [...weights.entries()];
  const keys = entries.map(([key]) => key);
  const [stored] = entries.flatMap(([, weight]) => ("file" in weight ? weight : []));
  const name = `The weights file ${stored?.file ?? weights.name}`;
  const packing = packingOf(keys);
  if (packing !== undefined) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `${name} has its matrices packed as ${packing}; ${READABLE_TYPES} can be read.`,
    );
  }
  const layout = layoutOf(keys, wanted.known);
  const other = otherFileOf(keys);
  const mismatch =
    other === undefined
      ? layout && mismatchOf(layout, wanted)
      : `is ${other}, and ${wanted.network.text} is wanted`;
  if (mismatch !== undefined) throw new RetouchError("CHECKPOINT_INVALID", `${name} ${mismatch}.`);
  if (layout === undefined || layout.isOwn === true) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `${name} has the keys of ${layout.name}, which a folder cannot have; it can be given as a single file.`,
  );
}
