/** Recognises files of another layout in a checkpoint's folder, before a configuration that is fine is blamed for them. */
import { RetouchError } from "../errors.ts";
import { layoutOf, otherFileOf, packingOf, type Wanted } from "./network-keys.ts";
import { READABLE_TYPES, type WeightSet } from "./weight-set.ts";

/**
 * @param own the layouts that a folder may have, by their names
 * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, saying what the file is instead
 */
export function assertFolderOf({ network, known }: Wanted, own: readonly string[], weights: WeightSet): void {
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
  const layout = layoutOf(keys, known);
  const found = otherFileOf(keys) ?? (layout?.network === network ? undefined : layout?.network.text);
  if (found !== undefined) {
    throw new RetouchError("CHECKPOINT_INVALID", `${name} is ${found}, and ${network.text} is wanted.`);
  }
  if (layout === undefined || own.includes(layout.name)) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `${name} has the keys of ${layout.name}, which a folder cannot have; it can be given as a single file.`,
  );
}
