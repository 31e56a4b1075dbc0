/** The choice of files in repositories of different make. */
import { describe, expect, it } from "vitest";
import type { HubFile } from "../../src/hub/listing.ts";
import { wantedFiles } from "../../src/hub/wanted-files.ts";
import { PIPELINES } from "../../src/pipelines/index.ts";
import { refusal } from "../support/refusal.ts";

const INDEX = {
  _class_name: "FluxKontextPipeline",
  transformer: ["diffusers", "FluxTransformer2DModel"],
  image_encoder: [null, null],
};
const listed = (...paths: string[]): HubFile[] =>
  ["model_index.json", ...paths].map((path) => ({ path, size: 1, oid: "a".repeat(64), hash: "sha256" }));
const chosen = (index: unknown, ...paths: string[]): string[] =>
  wantedFiles("org/name", index, listed(...paths), PIPELINES).map(({ path }) => path);

describe("wantedFiles", () => {
  it("takes the shards and their index, not the same weights in one file or in another precision", () => {
    const name = "transformer/diffusion_pytorch_model";
    const shards = [`${name}-00001-of-00002.safetensors`, `${name}-00002-of-00002.safetensors`];
    const wanted = ["transformer/config.json", `${name}.safetensors.index.json`, ...shards];
    const others = [
      `${name}.safetensors`,
      `${name}.fp16.safetensors`,
      `${name}.fp16-00001-of-00002.safetensors`,
      `${name}.safetensors.index.fp16.json`,
      `${name}.bin.index.json`,
      `${name}-00001-of-00002.bin`,
      "transformer/deeper/config.json",
      "transformer.json",
      "image_encoder/config.json",
      "dit.safetensors",
    ];
    expect(chosen(INDEX, ...wanted, ...others)).toEqual(["model_index.json", ...wanted]);
  });

  it("refuses an index that names a folder which is not there", () => {
    expect(() => chosen(INDEX)).toThrow(
      refusal("CHECKPOINT_INVALID", "org/name has no folder transformer, which its index names.") as Error,
    );
  });

  it.each([[null], [[]], [{}], [{ _class_name: 1 }], [{ _class_name: "FluxPipeline" }]])(
    "refuses %j as no pipeline of this kind",
    (index) => {
      expect(() => chosen(index, "transformer/config.json")).toThrow(
        refusal(
          "CHECKPOINT_UNSUPPORTED",
          /^org\/name is a .*; a FluxKontextPipeline, a Flux2KleinPipeline or a Flux2KleinKVPipeline is wanted\.$/,
        ) as Error,
      );
    },
  );
});
