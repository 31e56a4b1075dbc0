/** The edits of `test/fixtures/klein/cases.json`, which the reference implementation made. */
import { readJson } from "./fixtures.ts";

export interface KleinCase {
  name: string;
  /** Folder, from the root of the repository. */
  checkpoint: string;
  /** The class that edits, whatever the checkpoint's index says. */
  className: "Flux2KleinPipeline" | "Flux2KleinKVPipeline";
  /** Files, from `test/fixtures`. */
  pictures: string[];
  prompt: string;
  /** Null where the reference chooses the size. */
  width: number | null;
  height: number | null;
  seed: number;
  steps: number;
  guidance: number;
  maxSequenceLength: number;
}

export const kleinCases = readJson<KleinCase[]>("klein/cases.json");
