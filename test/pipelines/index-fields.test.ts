/**
 * Walks the table of the fields of `model_index.json` (`test/fixtures/index-fields.json`, written by
 * `scripts/reference/index_fields.py`): each value gives the reference's latents, or is refused by the field's name.
 */
import { readdirSync, readFileSync } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { editDrawn } from "../../scripts/reference/drawn/edit-drawn.ts";
import type { DrawnEdit } from "../../scripts/reference/drawn/protocol.ts";
import { difference } from "../support/compare.ts";
import { fixtures, readJson } from "../support/fixtures.ts";
import { sums } from "../support/probes.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Case {
  field: string;
  value: unknown;
  same?: true;
  raises?: string;
  sums?: number[];
}

const TABLE = readJson<Record<string, { sums: number[]; cases: Case[] }>>("index-fields.json");
const TOLERANCE = 2e-4;
const ABSENT = "(absent)";

/** The checkpoints whose index is changed, and the side of a token in pixels. */
const CHECKPOINTS = {
  kontext: { folder: "checkpoints/plain", grid: 16, guidance: 2.5 },
  klein: { folder: "klein/checkpoints/odd", grid: 8, guidance: 4 },
} as const;

/** A component that the index leaves open is of the pipeline's own class; the reference wants it named. */
const isOpen = ({ field, value }: Case): boolean =>
  field !== "_class_name" &&
  ([ABSENT, null].includes(value as string) ||
    ["[null,null]", "[]"].includes(JSON.stringify(value)) ||
    // The library decides how a file of weights is called.
    (JSON.stringify(value) === '["diffusers"]' && !field.startsWith("text_encoder")));

const TOKENIZER = "the tokenizer is of the pipeline's own class, whatever the index says";
const LIBRARY = "the library is not read";

/** Where the reference fails or does something else, and we do not: what we do. */
const TAKEN: Readonly<Record<string, string>> = {
  'kontext scheduler ["other","FlowMatchEulerDiscreteScheduler"]': LIBRARY,
  'klein scheduler ["other","FlowMatchEulerDiscreteScheduler"]': LIBRARY,
  'kontext tokenizer "text"': TOKENIZER,
  "kontext tokenizer 5": TOKENIZER,
  'kontext tokenizer_2 "text"': TOKENIZER,
  "kontext tokenizer_2 5": TOKENIZER,
  'klein tokenizer "text"': TOKENIZER,
  "klein tokenizer 5": TOKENIZER,
};

/** Where the reference computes something and we refuse: why. */
const REFUSED: Readonly<Record<string, string>> = {
  'kontext tokenizer ["transformers","T5TokenizerFast"]': "wants files that the folder lacks",
  'kontext vae ["diffusers","AutoencoderKLFlux2"]': "is another class, whose statistics the file lacks",
  'klein text_encoder ["transformers","Qwen2ForCausalLM"]':
    "is another network, which has no norms of queries and keys",
  'klein text_encoder ["transformers","Qwen3Model"]': "is no class that the pipeline names",
};

/** The edit of `index_fields.py`. */
function editOf(name: keyof typeof CHECKPOINTS): DrawnEdit {
  const { grid, guidance } = CHECKPOINTS[name];
  return {
    prompt: "Make the red car blue",
    prompt_2: null,
    max_sequence_length: 24,
    negative_prompt: null,
    true_cfg_scale: null,
    guidance,
    steps: 2,
    sigmas: null,
    seed: 1,
    target: [32, 32],
    references: [[64, 64]],
    grid,
    loras: [],
    files: {},
  };
}

const source = {
  width: 64,
  height: 64,
  data: Uint8Array.from({ length: 64 * 64 * 3 }, (_, index) => [200, 80, 40][index % 3]!),
};

async function latentsWith(name: keyof typeof CHECKPOINTS, { field, value }: Case): Promise<number[]> {
  const original = path.join(fixtures, CHECKPOINTS[name].folder);
  const folder = await temporaryFolder();
  for (const entry of readdirSync(original).filter((each) => each !== "model_index.json")) {
    await symlink(path.join(original, entry), path.join(folder, entry));
  }
  const { [field]: _, ...rest } = JSON.parse(
    readFileSync(path.join(original, "model_index.json"), "utf8"),
  ) as Record<string, unknown>;
  const index = value === ABSENT ? rest : { ...rest, [field]: value };
  await writeFile(path.join(folder, "model_index.json"), JSON.stringify(index));
  return Array.from((await editDrawn(folder, editOf(name), [source])).latents);
}

describe.each(Object.keys(CHECKPOINTS) as (keyof typeof CHECKPOINTS)[])(
  "every field of the index of %s",
  (name) => {
    const rows = TABLE[name]!.cases.map((row) => [`${row.field} ${JSON.stringify(row.value)}`, row] as const);

    it.each(rows)("%s", async (title, row) => {
      const key = `${name} ${title}`;
      const isTaken = row.raises !== undefined && (isOpen(row) || key in TAKEN);
      if (key in REFUSED || (row.raises !== undefined && !isTaken)) {
        const isNamed = row.field === "_class_name" ? /./ : new RegExp(row.field);
        await expect(latentsWith(name, row)).rejects.toThrow(isNamed);
        return;
      }
      const found = sums(await latentsWith(name, row));
      const expected = isTaken ? TABLE[name]!.sums : (row.sums ?? TABLE[name]!.sums);
      expect(difference(found, expected).relative).toBeLessThan(TOLERANCE);
    });
  },
);
