/**
 * The record of a run, written as it goes: a line of `progress.jsonl` for each finished edit, and the images that are
 * needed again. A line counts only for the set and the checkpoint that it names.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { encodePicture, type Picture, writeFileAtomically } from "../src/index.ts";
import { decodePicture } from "../src/images/decode.ts";

/** What a measurement depends on besides its key. */
export interface RecordOf {
  /** Digests. */
  set: string;
  checkpoint: string;
}

/** Raised when the same images would be measured differently, so that older lines no longer count. */
const MEASURES = 1;

interface Line extends RecordOf {
  measures: number;
  key: string;
  measured: object;
}

export class EvaluationRecord {
  readonly #file: string;
  readonly #pictures: string;
  readonly #of: RecordOf;
  readonly #measured = new Map<string, object>();

  /** Reads what `folder` has for the same set and checkpoint. */
  constructor(folder: string, of: RecordOf, { isRestarted = false } = {}) {
    this.#file = path.join(folder, "progress.jsonl");
    this.#pictures = path.join(folder, "pictures", `${of.checkpoint.slice(0, 12)}-${of.set.slice(0, 12)}`);
    this.#of = of;
    if (isRestarted) {
      rmSync(this.#file, { force: true });
      rmSync(path.join(folder, "pictures"), { recursive: true, force: true });
    }
    mkdirSync(this.#pictures, { recursive: true });
    const text = existsSync(this.#file) ? readFileSync(this.#file, "utf8") : "";
    for (const line of text.split("\n")) this.#take(line);
    // A kill can leave a part of a line; the next line must not continue it.
    if (text !== "" && !text.endsWith("\n")) appendFileSync(this.#file, "\n");
  }

  #take(text: string): void {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      return; // A part of a line, or the end of the file.
    }
    const { set, checkpoint, measures, key, measured } = line;
    if (set !== this.#of.set || checkpoint !== this.#of.checkpoint || measures !== MEASURES) return;
    this.#measured.set(key, measured);
  }

  has(key: string): boolean {
    return this.#measured.has(key);
  }

  /** @throws Error where it was not measured */
  get<Measured extends object>(key: string): Measured {
    const measured = this.#measured.get(key);
    if (!measured) throw new Error(`There is no measurement of ${key}.`);
    return measured as Measured;
  }

  add(key: string, measured: object): void {
    const line: Line = { ...this.#of, measures: MEASURES, key, measured };
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
    this.#measured.set(key, measured);
  }

  #pictureFile(key: string): string {
    return path.join(this.#pictures, `${key.replaceAll(/[^\w.]+/g, "-")}.png`);
  }

  hasPicture(key: string): boolean {
    return existsSync(this.#pictureFile(key));
  }

  async picture(key: string): Promise<Picture> {
    const file = this.#pictureFile(key);
    return decodePicture(await readFile(file), { name: file });
  }

  async addPicture(key: string, picture: Picture): Promise<void> {
    await writeFileAtomically(this.#pictureFile(key), await encodePicture(picture, "png"));
  }
}
