/**
 * Walks the table of fields (`test/fixtures/fields.json`, written by `scripts/reference/fields.py`): every field of the
 * four networks' configurations, set to other values, changes what we compute as it changes what the reference computes,
 * changes nothing in both, or is refused by its name where the reference fails.
 */
import { isDeepStrictEqual as isEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { readAutoencoderConfig } from "../../src/models/autoencoders/autoencoder-config.ts";
import { readClipConfig } from "../../src/models/text-encoders/clip.ts";
import { readT5Config } from "../../src/models/text-encoders/t5-config.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { Config } from "../../src/weights/config.ts";
import { readJson } from "../support/fixtures.ts";
import { type Fields, probe } from "../support/probes.ts";
import { difference } from "../support/compare.ts";

interface Case {
  field: string;
  value: unknown;
  also?: Fields;
  same?: true;
  raises?: string;
  sums?: number[];
}

interface Network {
  defaults: Fields;
  base: Fields;
  sums: number[];
  cases: Case[];
}

const table = readJson<Record<string, Network>>("fields.json");

/** 80 dB of an output; differences in float32 are some 1e-7. */
const TOLERANCE = 1e-4;

/** Where the reference computes something and we refuse: field and value, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  'clip hidden_act "prelu"': "has a weight of its own, which no CLIP has",
  'clip hidden_act "xielu"': "has weights of its own, which no CLIP has",
  't5 feed_forward_proj "prelu"': "has a weight of its own, which no T5 has",
  't5 feed_forward_proj "xielu"': "has weights of its own, which no T5 has",
  "t5 is_decoder true": "makes a decoder of the encoder, with other weights",
};

/** Where the reference fails and we do not: field and value, and what we do. */
const TAKEN: Readonly<Record<string, string>> = {
  "vae shift_factor null": "nothing is subtracted; the reference's pipeline fails at it",
  "t5 dropout_rate null": "only training reads it",
  "clip return_dict false": "only how Python hands over the result",
};

/** Where it depends on the texts whether the reference fails: the limit is in their length and their tokens. */
const BY_TEXT = new Set(["clip vocab_size", "clip max_position_embeddings", "t5 vocab_size"]);

const nameOf = (network: string, { field, value }: Case): string =>
  `${network} ${field} ${JSON.stringify(value)}`;

const READERS = { flux: readFluxConfig, vae: readAutoencoderConfig, clip: readClipConfig, t5: readT5Config };
const read = (network: string, fields: Fields): unknown =>
  READERS[network as keyof typeof READERS](new Config("config.json", fields));

describe.each(Object.entries(table))("every field of %s", (network, { base, sums, cases }) => {
  it("gives the reference's output where it is as usual", async () => {
    expect(difference(await probe(network, base), sums).relative).toBeLessThan(TOLERANCE);
  });

  it.each(cases.map((row) => [nameOf(network, row), row] as const))("%s", async (name, row) => {
    const fields = { ...base, ...row.also, [row.field]: row.value };
    const isRefused = (row.raises !== undefined && !(name in TAKEN)) || name in REFUSED;
    if (isRefused) {
      // A text's tokens are no part of the configuration, so that failure has no field.
      const sentence = BY_TEXT.has(`${network} ${row.field}`)
        ? /./
        : new RegExp(`config\\.json, .*${row.field}`);
      await expect(probe(network, fields)).rejects.toThrow(sentence);
    } else if (row.sums) {
      expect(difference(await probe(network, fields), row.sums).relative).toBeLessThan(TOLERANCE);
    } else if (!(name in TAKEN) && !isEqual(read(network, fields), read(network, base))) {
      // Another network with the same output, such as one of another name for the same block.
      expect(difference(await probe(network, fields), sums).relative).toBeLessThan(TOLERANCE);
    }
  });
});

describe("an absent field", () => {
  const whole = ([network, { defaults }]: [string, Network]): (readonly [string, string, unknown])[] =>
    Object.entries(defaults).map(([field, value]) => [network, field, value] as const);

  it.each(Object.entries(table).flatMap(whole))(
    "of %s, %s, is read as the class's %j",
    (network, field, value) => {
      // A default of null is an absent field itself.
      expect(read(network, {})).toEqual(read(network, value === null ? {} : { [field]: value }));
    },
  );
});
