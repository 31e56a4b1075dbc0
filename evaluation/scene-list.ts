/** The set's list of scenes and chains, checked once; what it says is trusted afterwards. */

export interface Scene {
  /** Its place in the list, which its files are named by. */
  id: number;
  kind: string;
  width: number;
  height: number;
  instruction: string;
  seed: number;
  /** Whether it is one of those on which guidance and steps are measured. */
  probe: boolean;
}

export interface Chain {
  id: number;
  width: number;
  height: number;
  steps: readonly { kind: string; instruction: string }[];
}

export interface SceneList {
  side: number;
  scenes: readonly Scene[];
  chains: readonly Chain[];
}

/** The kind of edit that changes nothing. */
export const NOTHING = "nothing";
/** Edits of a chain. */
export const CHAIN_LENGTH = 5;

/** @throws Error with a sentence that names `file` and what is wrong in it */
export function parseSceneList(text: string, file: string): SceneList {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error(`${file} is no JSON.`);
  }
  const at = fieldsOf(list, "its top", file);
  const scenes = at.list("scenes").map((value, place) => readScene(value, place, file));
  if (scenes.length === 0) throw new Error(`${file} lists no scenes.`);
  return {
    side: at.count("side"),
    scenes,
    chains: at.list("chains").map((value, place) => readChain(value, place, file)),
  };
}

function readScene(value: unknown, place: number, file: string): Scene {
  const at = fieldsOf(value, `scenes[${place}]`, file);
  return {
    id: at.id(place),
    kind: at.text("kind"),
    width: at.count("width"),
    height: at.count("height"),
    instruction: at.text("instruction"),
    seed: at.natural("seed"),
    probe: at.boolean("probe"),
  };
}

function readChain(value: unknown, place: number, file: string): Chain {
  const at = fieldsOf(value, `chains[${place}]`, file);
  const steps = at.list("steps").map((step, number) => {
    const inStep = fieldsOf(step, `chains[${place}].steps[${number}]`, file);
    return { kind: inStep.text("kind"), instruction: inStep.text("instruction") };
  });
  if (steps.length !== CHAIN_LENGTH) {
    throw new Error(`In ${file}, chains[${place}] has ${steps.length} steps instead of ${CHAIN_LENGTH}.`);
  }
  return { id: at.id(place), width: at.count("width"), height: at.count("height"), steps };
}

/** Reads the fields of an object, `place` being its place in the file. */
function fieldsOf(value: unknown, place: string, file: string) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`In ${file}, ${place} is no object.`);
  }
  const fields = value as Record<string, unknown>;
  const read = <Type>(name: string, wanted: string, isWanted: (field: unknown) => boolean): Type => {
    const field = fields[name];
    if (isWanted(field)) return field as Type;
    const found = field === undefined ? "missing" : JSON.stringify(field);
    throw new Error(`In ${file}, ${name} of ${place} must be ${wanted}, and is ${found}.`);
  };
  const isNatural = (field: unknown): boolean => Number.isSafeInteger(field) && (field as number) >= 0;
  return {
    natural: (name: string) => read<number>(name, "a whole number", isNatural),
    count: (name: string) =>
      read<number>(name, "a whole number above 0", (field) => isNatural(field) && field !== 0),
    text: (name: string) =>
      read<string>(name, "a text", (field) => typeof field === "string" && field.trim() !== ""),
    boolean: (name: string) => read<boolean>(name, "true or false", (field) => typeof field === "boolean"),
    list: (name: string) => read<unknown[]>(name, "a list", Array.isArray),
    id: (expected: number) => read<number>("id", `${expected}`, (field) => field === expected),
  };
}
