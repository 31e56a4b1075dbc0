/**
 * The setting that names further endpoints and their checkpoints: pairs separated by commas. Commas and equals signs may
 * stand in paths, too, so what exists decides.
 */
import { ENDPOINT_ID } from "./endpoint-id.ts";
import type { Parser } from "./parsers.ts";
import { longestFolder } from "./path-list.ts";

/** An endpoint beside the default one. */
export interface NamedModel {
  readonly id: string;
  /** A folder, or the name of a repository as `retouch pull` has it. */
  readonly checkpoint: string;
}

/** Each is an engine of its own, and a part of the OpenAPI document. */
const MAX_MODELS = 16;
const PAIR = /^[^/\\=,]*=/;

export const models: Parser<readonly NamedModel[]> = {
  accepts: `id=checkpoint,id=checkpoint: at most ${MAX_MODELS}, each id once, of ${ENDPOINT_ID.accepts}`,
  parse(value) {
    const entries = partsOf(value).map(modelOf);
    const isValid = entries.length > 0 && entries.length <= MAX_MODELS && wrongPart(value) === undefined;
    return isValid ? (entries as NamedModel[]) : undefined;
  },
  wrongPart,
};

/** The first part that is no pair, or whose id another has. */
function wrongPart(value: string): string | undefined {
  const ids = new Set<string>();
  return partsOf(value).find((part) => {
    const model = modelOf(part);
    return model === undefined || ids.has(model.id) || !ids.add(model.id);
  });
}

function modelOf(part: string): NamedModel | undefined {
  const at = part.indexOf("=");
  const [id, checkpoint] = [part.slice(0, Math.max(at, 0)).trim(), part.slice(at + 1).trim()];
  return ENDPOINT_ID.parse(id) === undefined || checkpoint === "" ? undefined : { id, checkpoint };
}

/** Whether a piece belongs to the path before it: no pair begins there, and the list does not end. */
const isRest = (piece = ""): boolean => piece.trim() !== "" && !PAIR.test(piece);

/** A pair reaches as far as its folder does, or else up to the next pair. */
function partsOf(value: string): string[] {
  const pieces = value.split(",");
  const parts: string[] = [];
  for (let at = 0; at < pieces.length;) {
    const [pair] = PAIR.exec(pieces[at]!) ?? [""];
    let end = longestFolder([pieces[at]!.slice(pair.length), ...pieces.slice(at + 1)]);
    if (end === 0) {
      end = 1;
      while (isRest(pieces[at + end])) end += 1;
    }
    const part = pieces
      .slice(at, at + end)
      .join(",")
      .trim();
    if (part !== "") parts.push(part);
    at += end;
  }
  return parts;
}
