/** The edits of `test/fixtures/cases.json`, which the reference implementation made. */
import { readJson } from "./fixtures.ts";

export interface EditCase {
  name: string;
  /** Folder, from the root of the repository. */
  checkpoint: string;
  /** File, from `test/fixtures`; it has the size at which the reference saw it. */
  picture: string;
  prompt: string;
  negativePrompt: string | null;
  trueCfgScale: number;
  width: number;
  height: number;
  seed: number;
  steps: number;
  guidance: number;
  /** The steps whose latents are kept. */
  keptSteps: number[];
}

export const editCases = readJson<EditCase[]>("cases.json");
