/** What a parameter of an edit is: its type, range and default, and its name on each surface. */

/** Names of one parameter; a surface without a name does not have the parameter. */
interface Names {
  /** In HTTP request bodies, including those of the OpenAI-compatible routes. */
  wire: string;
  /** Other names that the wire accepts. */
  aliases?: readonly string[];
  /** The flag of `retouch edit`, with its value. */
  flag?: string;
  /** In the `retouch mcp` tool. */
  tool?: string;
  /** One sentence. */
  description: string;
}

export interface NumberParameter extends Names {
  type: "integer" | "number";
  min: number;
  max: number;
  default: number;
  /** A word that may stand for the number. */
  word?: "auto";
}

/** A whole number that the model, or the format of the result, chooses if it is not given. */
export interface ModelNumberParameter extends Names {
  type: "modelNumber";
  min: number;
  max: number;
}

/** A list of numbers, at least one; without it, the edit makes its own. */
export interface NumbersParameter extends Names {
  type: "numbers";
  /** Range of each. */
  min: number;
  max: number;
  /** The most of them. */
  maxItems: number;
}

export interface StringParameter extends Names {
  type: "string";
  /** In characters. */
  min: number;
  max: number;
  /** If absent, the parameter is required. */
  default?: string;
}

export interface BooleanParameter extends Names {
  type: "boolean";
  default: boolean;
}

export interface ChoiceParameter extends Names {
  type: "choice";
  choices: readonly string[];
  default: string;
}

/** A string of a certain form. */
export interface PatternParameter extends Names {
  type: "pattern";
  pattern: string;
  /** What it must be, for refusals. */
  accepts: string;
  default: string;
}

/** A width and a height in pixels. */
export interface SizeParameter extends Names {
  type: "size";
  /** Shortest side. The service has its own range, within this one. */
  min: number;
  max: number;
  /** For an HTTP request that gives no size; the library uses the image's own. */
  wireDefault: { width: number; height: number };
}

export interface LorasParameter extends Names {
  type: "loras";
  /** The most entries. */
  max: number;
  /** Range of each one's strength. */
  scale: { min: number; max: number; default: number };
}

export interface ImageParameter extends Names {
  type: "image";
}

/** One parameter of an edit: its type, range, default, and its name on each surface. */
export type EditParameter =
  | NumberParameter
  | ModelNumberParameter
  | NumbersParameter
  | StringParameter
  | BooleanParameter
  | ChoiceParameter
  | PatternParameter
  | SizeParameter
  | LorasParameter
  | ImageParameter;
