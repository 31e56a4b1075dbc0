/**
 * Walks the table of fields (`test/fixtures/fields.json`, written by `scripts/reference/fields.py`): every field of the
 * networks' configurations, set to other values, changes what we compute as it changes what the reference computes,
 * changes nothing in both, or is refused by its name where the reference fails.
 */
import { isDeepStrictEqual as isEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { readAutoencoderConfig } from "../../src/models/autoencoders/autoencoder-config.ts";
import { readClipConfig } from "../../src/models/text-encoders/clip.ts";
import { readFlux2AutoencoderConfig } from "../../src/models/autoencoders/flux2-autoencoder-config.ts";
import { readQwen3Config } from "../../src/models/text-encoders/qwen3-config.ts";
import { readFlux2Config } from "../../src/models/transformers/flux2-config.ts";
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

const LONG_TEXTS = "serves texts that are longer than any here";

/** Where the reference computes something and we refuse: field and value, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  'clip hidden_act "prelu"': "has a weight of its own, which no CLIP has",
  'clip hidden_act "xielu"': "has weights of its own, which no CLIP has",
  't5 feed_forward_proj "prelu"': "has a weight of its own, which no T5 has",
  't5 feed_forward_proj "xielu"': "has weights of its own, which no T5 has",
  "t5 is_decoder true": "makes a decoder of the encoder, with other weights",
  "flux2 timestep_guidance_channels 0": "embeds no noise level, so that all steps are one",
  "flux2 mlp_ratio 0": "leaves the layer out, without a word",
  "flux2 rope_theta 0": "has only zeros and infinities as frequencies",
  "flux2 rope_theta -5": "has frequencies that are no numbers",
  "flux2-vae patch_size [1,4]": "says other patches than the squares of two that the pipeline cuts",
  "flux2-vae patch_size [4,1]": "says other patches than the squares of two that the pipeline cuts",
  'qwen3 hidden_act "prelu"': "has a weight of its own, which no Qwen3 has",
  'qwen3 hidden_act "xielu"': "has weights of its own, which no Qwen3 has",
  'qwen3 rope_parameters {"rope_type":"linear","factor":2,"rope_theta":10000}': LONG_TEXTS,
  'qwen3 rope_parameters {"rope_type":"yarn","factor":2,"rope_theta":10000}': LONG_TEXTS,
  'qwen3 rope_scaling {"type":"linear","factor":2}': LONG_TEXTS,
  'qwen3 use_sliding_window true with {"sliding_window":3,"max_window_layers":1}': LONG_TEXTS,
  'qwen3 layer_types ["full_attention","sliding_attention","full_attention"] with {"use_sliding_window":true,"sliding_window":3}':
    LONG_TEXTS,
};

/** Where the reference fails and we do not: field and value, and what we do. */
const TAKEN: Readonly<Record<string, string>> = {
  "vae shift_factor null": "nothing is subtracted; the reference's pipeline fails at it",
  "t5 dropout_rate null": "only training reads it",
  "clip return_dict false": "only how Python hands over the result",
  "flux2-vae patch_size null": "the pipeline reads squares of two whatever it says",
  "qwen3 return_dict null": "only how Python hands over the result",
  "qwen3 pad_token_id 100": "no text has that token",
  "qwen3 max_position_embeddings null": "only other kinds of positions read it",
  "qwen3 attention_dropout null": "only training reads it",
};

/** Where a refusal names another field: one inside the given, or one beside it. */
const NAMED: Readonly<Record<string, string>> = {
  'qwen3 rope_parameters {"rope_theta":null}': "rope_theta",
  'qwen3 rope_parameters {"rope_theta":0}': "rope_theta",
  'qwen3 use_sliding_window true with {"sliding_window":3,"max_window_layers":1}': "sliding_window",
  'qwen3 layer_types ["full_attention","sliding_attention","full_attention"] with {"use_sliding_window":true,"sliding_window":3}':
    "sliding_window",
};

/** Where it depends on the texts whether the reference fails: the limit is in their length and their tokens. */
const BY_TEXT = new Set([
  "clip vocab_size",
  "clip max_position_embeddings",
  "t5 vocab_size",
  "qwen3 vocab_size",
]);

const nameOf = (network: string, { field, value, also }: Case): string =>
  `${network} ${field} ${JSON.stringify(value)}${also ? ` with ${JSON.stringify(also)}` : ""}`;

const READERS = {
  flux: readFluxConfig,
  vae: readAutoencoderConfig,
  clip: readClipConfig,
  t5: readT5Config,
  flux2: readFlux2Config,
  "flux2-vae": readFlux2AutoencoderConfig,
  qwen3: readQwen3Config,
};
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
        : new RegExp(`config\\.json, .*${NAMED[name] ?? row.field}`);
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
