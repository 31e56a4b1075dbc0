/** Configurations of a checkpoint: each network's, the scheduler's, and the index of the folder. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ErrorCode } from "../../src/errors.ts";
import { inRepository } from "../../tools/paths.ts";
import { readAutoencoderConfig } from "../../src/models/autoencoders/autoencoder-config.ts";
import { originalAutoencoderLayout } from "../../src/models/layouts/original-autoencoder.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { llamaT5Layout } from "../../src/models/layouts/t5-layouts.ts";
import { readClipConfig } from "../../src/models/text-encoders/clip.ts";
import { readT5Config } from "../../src/models/text-encoders/t5-config.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { levelsOf, readScheduleConfig } from "../../src/pipelines/flux1-kontext/schedule.ts";
import { openCheckpoint } from "../../src/pipelines/index.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { Config } from "../../src/weights/config.ts";
import { jsonBytes } from "../mutate/json.ts";
import { expect, type Target, target } from "../target.ts";
import { CHECKPOINT_CODES } from "./weights.ts";

const FOLDERS = [
  inRepository("checkpoints", "tiny"),
  ...["odd", "plain", "sharded", "shifted"].map((name) =>
    inRepository("test", "fixtures", "checkpoints", name),
  ),
];

/** @param use does with a configuration what the engine does before it reads weights */
function configuration(
  name: string,
  file: string,
  parser: string,
  use: (config: Config) => void,
  codes: readonly ErrorCode[] = CHECKPOINT_CODES,
): Target {
  return target<Buffer>({ name, parser, codes }, (folder) => {
    const corpus = FOLDERS.map((each) => JSON.parse(readFileSync(path.join(each, file), "utf8")) as unknown);
    const changed = path.join(folder, "config.json");
    return {
      generate: (random) => jsonBytes(corpus, random),
      async feed(bytes) {
        writeFileSync(changed, bytes);
        use(await Config.read(changed));
      },
    };
  });
}

/** Whole numbers within bounds: counts become loops and memory. */
function expectCounts(config: object): void {
  for (const [name, value] of Object.entries(config)) {
    if (typeof value !== "number") continue;
    expect(Number.isFinite(value), `let ${name} through, which is ${value}`);
  }
}

export const TARGETS: readonly Target[] = [
  configuration(
    "transformer-config",
    "transformer/config.json",
    "readFluxConfig, src/models/transformers",
    (file) => {
      const config = readFluxConfig(file);
      expectCounts(config);
      originalFluxLayout(config);
    },
  ),
  configuration("vae-config", "vae/config.json", "readAutoencoderConfig, src/models/autoencoders", (file) => {
    const config = readAutoencoderConfig(file);
    expectCounts(config);
    originalAutoencoderLayout(config);
  }),
  configuration(
    "clip-config",
    "text_encoder/config.json",
    "readClipConfig, src/models/text-encoders/clip.ts",
    (file) => expectCounts(readClipConfig(file)),
  ),
  configuration(
    "t5-config",
    "text_encoder_2/config.json",
    "readT5Config, src/models/text-encoders/t5.ts",
    (file) => {
      const config = readT5Config(file);
      expectCounts(config);
      llamaT5Layout(config);
    },
  ),
  configuration(
    "scheduler-config",
    "scheduler/scheduler_config.json",
    "readScheduleConfig, src/pipelines/flux1-kontext/schedule.ts",
    (file) => {
      const config = readScheduleConfig(file);
      expectCounts(config);
      const { sigmas } = levelsOf(config, { numSteps: 4 }, 256);
      expect(sigmas.length === 5, "gave other than one level for each step");
    },
    // For settings that give no numbers: how many steps an edit takes may decide it.
    [...CHECKPOINT_CODES, "INVALID_PARAMETER"],
  ),
  target<Buffer>(
    { name: "model-index", parser: "Checkpoint.open, src/weights/checkpoint.ts", codes: CHECKPOINT_CODES },
    (folder) => {
      const file = path.join(folder, "model_index.json");
      const corpus = FOLDERS.map(
        (each) => JSON.parse(readFileSync(path.join(each, "model_index.json"), "utf8")) as unknown,
      );
      return {
        generate: (random) => jsonBytes(corpus, random),
        async feed(bytes) {
          writeFileSync(file, bytes);
          await openCheckpoint(folder).catch(() => undefined);
          const { className } = await Checkpoint.open(folder);
          expect(typeof className === "string" && className.length <= 200, "gave a name that is none");
        },
      };
    },
  ),
];
