/**
 * Drawn checkpoints and edits against the reference: some of the cases of `npm run test:reference -- --fuzz`. Their
 * weights follow from a hash, so a fixture holds configurations, keys, and some of the numbers that are to come out.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { editDrawn } from "../../scripts/reference/drawn/edit-drawn.ts";
import { decibelsOf } from "../../scripts/reference/drawn/decibels.ts";
import type { DrawnEdit } from "../../scripts/reference/drawn/protocol.ts";
import { type DrawnContent, drawnPicture, writeDrawnFile } from "./drawn-files.ts";
import { type FixtureTensor, fixtures, readTensors } from "./fixtures.ts";
import { temporaryFolder } from "./temporary.ts";

interface DrawnCase {
  index: number;
  edit: DrawnEdit;
  /** Path -> place among the contents. */
  files: Record<string, number>;
}

const LARGEST_BYTE = 255;

export class DrawnCases {
  readonly cases: readonly DrawnCase[];
  readonly #contents: readonly DrawnContent[];
  readonly #folder: string;
  #expected: Promise<Map<string, FixtureTensor>> | undefined;

  /** @param folder with `cases.json.gz` and `expected.safetensors`, from `test/fixtures` */
  constructor(folder: string) {
    const packed = readFileSync(path.join(fixtures, folder, "cases.json.gz"));
    const { cases, contents } = JSON.parse(gunzipSync(packed).toString()) as {
      cases: DrawnCase[];
      contents: DrawnContent[];
    };
    this.cases = cases;
    this.#contents = contents;
    this.#folder = folder;
  }

  /** How near our edit of a case comes to the reference's, in decibels. */
  async compare({ index, edit, files }: DrawnCase): Promise<{ latents: number; picture: number }> {
    const checkpoint = await temporaryFolder();
    for (const [name, place] of Object.entries(files)) {
      await writeDrawnFile(path.join(checkpoint, name), this.#contents[place]!);
    }
    const sources = edit.references.map(([width, height], at) => ({
      width,
      height,
      data: drawnPicture(width, height, `${edit.seed}/${at}`),
    }));
    const { latents, picture } = await editDrawn(checkpoint, edit, sources);
    return {
      latents: await this.#decibels(`latents.${index}`, latents),
      picture: await this.#decibels(`picture.${index}`, picture.data, LARGEST_BYTE),
    };
  }

  async #decibels(name: string, actual: ArrayLike<number>, peak?: number): Promise<number> {
    this.#expected ??= readTensors(`${this.#folder}/expected.safetensors`);
    const wanted = (await this.#expected).get(name)!.data as Float32Array | Uint8Array;
    const every = Math.ceil(actual.length / wanted.length);
    const kept = Array.from(actual).filter((_, at) => at % every === 0);
    const result = decibelsOf(kept, wanted, peak);
    return result === "equal" ? Infinity : Number(result);
  }
}
