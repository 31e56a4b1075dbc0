/**
 * Which of a folder's files hold a component's weights. diffusers (0.42.1) prefers an index of shards to a single file,
 * transformers (5.23.0) the single file; neither takes the other's names.
 */
import { anyOf, RetouchError } from "../errors.ts";
import { shownValue } from "./config.ts";

/** The library that a component's class belongs to. */
export type WeightLibrary = "diffusers" | "transformers";

export interface ChosenFile {
  /** Its name in the folder. */
  name: string;
  isIndex: boolean;
  /** Set for files of a variant, such as "fp16", which are used because there are no others. */
  variant?: string | undefined;
}

const STEMS: Readonly<Record<WeightLibrary, string>> = {
  diffusers: "diffusion_pytorch_model",
  transformers: "model",
};
/** The usual name of either library. */
const usualName = (library: WeightLibrary): string => `${STEMS[library]}.safetensors`;

/** A shard's name ends like this; it is not one of a variant. */
const SHARD = /-\d{5}-of-\d{5}$/;
/** Formats that hold a Python program, which loading would run. */
const PICKLE = /\.(?:bin|ckpt|pt|pth)$/i;
/** The files that macOS writes beside others, for what its file systems keep apart. */
const APPLE_DOUBLE = /^\._/;

/**
 * @param folder what messages call it
 * @param files the names in it
 * @param libraries whose names are tried, in this order
 * @throws RetouchError CHECKPOINT_MISSING without weights; CHECKPOINT_UNSUPPORTED if they are in another format only;
 * CHECKPOINT_INVALID if only files of several variants are there
 */
export function chooseWeightFile(
  folder: string,
  files: readonly string[],
  libraries: readonly WeightLibrary[],
): ChosenFile {
  const names = files.filter((name) => !APPLE_DOUBLE.test(name));
  for (const library of libraries) {
    const chosen = plainFile(names, library) ?? variantFile(folder, names, library);
    if (chosen) return chosen;
  }
  const pickle = names.find((name) => PICKLE.test(name));
  if (pickle !== undefined) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The folder ${folder} has its weights in ${shownValue(pickle)} only, a Python pickle, which could run any code; its class's from_pretrained("${folder}").save_pretrained("${folder}") writes ${usualName(libraries[0]!)}.`,
    );
  }
  const wanted = anyOf(libraries.map(usualName));
  throw new RetouchError("CHECKPOINT_MISSING", `The folder ${folder} has no ${wanted}.`);
}

/** An index or a single file, by its exact name or, where there is none, in another case. */
function plainFile(names: readonly string[], library: WeightLibrary): ChosenFile | undefined {
  const single = usualName(library);
  const both: ChosenFile[] = [
    { name: `${single}.index.json`, isIndex: true },
    { name: single, isIndex: false },
  ];
  const inOrder = library === "diffusers" ? both : both.toReversed();
  const found = inOrder.find(({ name }) => names.includes(name));
  if (found) return found;
  for (const { name, isIndex } of inOrder) {
    const other = names.find((each) => each.toLowerCase() === name);
    if (other !== undefined) return { name: other, isIndex };
  }
  return undefined;
}

/** The one part of a name, without a dot, between its beginning and its end, in any case of the letters. */
function between(name: string, start: string, end: string): string | undefined {
  const lower = name.toLowerCase();
  if (!lower.startsWith(start) || !lower.endsWith(end)) return undefined;
  const part = name.slice(start.length, -end.length);
  return part === "" || part.includes(".") ? undefined : part;
}

/** The files of the only variant. */
function variantFile(
  folder: string,
  names: readonly string[],
  library: WeightLibrary,
): ChosenFile | undefined {
  const stem = STEMS[library];
  const found = names.flatMap((name): Required<ChosenFile>[] => {
    const single = between(name, `${stem}.`, ".safetensors");
    const variant = single ?? between(name, `${stem}.safetensors.index.`, ".json");
    if (variant === undefined || SHARD.test(variant)) return [];
    return [{ name, isIndex: single === undefined, variant }];
  });
  const variants = [...new Set(found.map(({ variant }) => variant))];
  if (variants.length > 1) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The folder ${folder} has weights of the variants ${shownValue(variants.toSorted().join(", "))} and none without; rename those to be used to ${usualName(library)}.`,
    );
  }
  const wanted = library === "diffusers";
  return found.find(({ isIndex }) => isIndex === wanted) ?? found[0];
}
