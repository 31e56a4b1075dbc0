/**
 * Which files of a repository an edit needs: the configuration, tokenizer and `.safetensors` files of the components
 * that `model_index.json` names. Left out are the same weights in one file at the root, other precisions, pickles and
 * images.
 */
import { anyOf, RetouchError } from "../errors.ts";
import type { HubFile } from "./listing.ts";

export const MODEL_INDEX = "model_index.json";
const COMPONENT = /^[a-z][a-z0-9_]*$/;
/** One file, or an index and its shards; anything between name and ending marks another precision. */
const WEIGHTS = /^(?:diffusion_pytorch_model|model)(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/;
/** Configurations, vocabularies, and the template of a chat. */
const TEXT = /\.(?:json|txt|model|jinja)$/;
const OTHER_INDEX = /\.index\./;

/** A kind of checkpoint that can be edited with. */
export interface ModelFamily {
  /** Its name in `model_index.json`. */
  readonly className: string;
  /** Folders with weights that an edit cannot do without. */
  readonly weightFolders: readonly string[];
}

/**
 * @param index the contents of `model_index.json`
 * @throws RetouchError CHECKPOINT_UNSUPPORTED or CHECKPOINT_INVALID
 */
export function wantedFiles(
  name: string,
  index: unknown,
  files: readonly HubFile[],
  families: readonly ModelFamily[],
): HubFile[] {
  const fields = (typeof index === "object" && index !== null ? index : {}) as Record<string, unknown>;
  if (families.every(({ className }) => className !== fields["_class_name"])) {
    const found = JSON.stringify(fields["_class_name"] ?? "something else").slice(0, 100);
    const wanted = anyOf(families.map(({ className }) => `a ${className}`));
    throw new RetouchError("CHECKPOINT_UNSUPPORTED", `${name} is a ${found}; ${wanted} is wanted.`);
  }
  const components = Object.entries(fields).filter(([, value]) => Array.isArray(value) && value[0] !== null);
  const folders = components.map(([component]) => component).filter((component) => COMPONENT.test(component));
  const wanted = files.filter(({ path }) => path === MODEL_INDEX);
  for (const folder of folders) {
    const within = files.filter(({ path }) => path.split("/").length === 2 && path.startsWith(`${folder}/`));
    if (within.length === 0) {
      throw new RetouchError("CHECKPOINT_INVALID", `${name} has no folder ${folder}, which its index names.`);
    }
    wanted.push(...within.filter(({ path }) => isWanted(path.slice(folder.length + 1), within)));
  }
  return wanted;
}

function isWanted(name: string, within: readonly HubFile[]): boolean {
  const weights = WEIGHTS.exec(name);
  if (weights === null) return TEXT.test(name) && !OTHER_INDEX.test(name);
  const isSharded = within.some(({ path }) => WEIGHTS.exec(path.split("/")[1]!)?.[2] !== undefined);
  const isWhole = weights[1] === undefined && weights[2] === undefined;
  return isSharded ? !isWhole : isWhole;
}
