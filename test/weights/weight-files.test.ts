import { describe, expect, it } from "vitest";
import { chooseWeightFile, type WeightLibrary } from "../../src/weights/weight-files.ts";
import { refusal } from "../support/refusal.ts";

const DIFFUSERS = "diffusion_pytorch_model.safetensors";
const TRANSFORMERS = "model.safetensors";

const choose = (files: readonly string[], ...libraries: WeightLibrary[]) =>
  chooseWeightFile("/vae", files, libraries);

// Seen with diffusers 0.42.1 and transformers 5.23.0: both files in a folder, with different weights.
describe("of an index and a single file", () => {
  it("diffusers takes the index", () => {
    expect(choose([DIFFUSERS, `${DIFFUSERS}.index.json`], "diffusers")).toEqual({
      name: `${DIFFUSERS}.index.json`,
      isIndex: true,
    });
  });

  it("transformers takes the single file", () => {
    expect(choose([`${TRANSFORMERS}.index.json`, TRANSFORMERS], "transformers")).toEqual({
      name: TRANSFORMERS,
      isIndex: false,
    });
    expect(choose([`${TRANSFORMERS}.index.json`], "transformers").isIndex).toBe(true);
  });

  it("neither takes the other's", () => {
    const files = [DIFFUSERS, TRANSFORMERS];
    expect(choose(files, "diffusers").name).toBe(DIFFUSERS);
    expect(choose(files, "transformers").name).toBe(TRANSFORMERS);
    expect(() => choose([DIFFUSERS], "transformers")).toThrow(
      refusal("CHECKPOINT_MISSING", "The folder /vae has no model.safetensors."),
    );
  });

  it("that of the first library is taken where the class is of neither", () => {
    expect(choose([TRANSFORMERS], "diffusers", "transformers").name).toBe(TRANSFORMERS);
    expect(() => choose([], "diffusers", "transformers")).toThrow(
      refusal("CHECKPOINT_MISSING", `The folder /vae has no ${DIFFUSERS} or ${TRANSFORMERS}.`),
    );
  });
});

describe("a variant", () => {
  it.each([
    ["diffusion_pytorch_model.fp16.safetensors", false],
    ["diffusion_pytorch_model.safetensors.index.fp16.json", true],
  ])("is used where it is the only one: %s", (name, isIndex) => {
    const shards = ["diffusion_pytorch_model.fp16-00001-of-00002.safetensors", "config.json"];
    expect(choose([...shards, name], "diffusers")).toEqual({ name, isIndex, variant: "fp16" });
  });

  it("is not used beside files without one", () => {
    expect(choose(["model.fp16.safetensors", TRANSFORMERS], "transformers")).toEqual({
      name: TRANSFORMERS,
      isIndex: false,
    });
  });

  it("is not chosen among several", () => {
    expect(() => choose(["model.fp16.safetensors", "model.bf16.safetensors"], "transformers")).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        'The folder /vae has weights of the variants "bf16, fp16" and none without; rename those to be used to model.safetensors.',
      ),
    );
  });
});

describe("other files", () => {
  it("in another case are the same ones", () => {
    const name = "Diffusion_pytorch_model.SAFETENSORS";
    expect(choose([name], "diffusers")).toEqual({ name, isIndex: false });
  });

  it("of macOS are none", () => {
    expect(() => choose([`._${TRANSFORMERS}`, "._model.fp16.safetensors"], "transformers")).toThrow(
      refusal("CHECKPOINT_MISSING", "The folder /vae has no model.safetensors."),
    );
  });

  it.each(["pytorch_model.bin", "diffusion_pytorch_model.BIN", "vae.ckpt"])(
    "that are pickles are refused: %s",
    (name) => {
      expect(() => choose([name], "diffusers")).toThrow(
        refusal(
          "CHECKPOINT_UNSUPPORTED",
          `The folder /vae has its weights in "${name}" only, a Python pickle, which could run any code; its class's from_pretrained("/vae").save_pretrained("/vae") writes ${DIFFUSERS}.`,
        ),
      );
    },
  );
});
