/** FLUX.2's transformer in single files, by diffusers' converter and in ComfyUI's forms, against the reference. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type ModelName, wantedOf } from "../../../src/models/layouts/file-networks.ts";
import { originalFlux2Layout } from "../../../src/models/layouts/original-flux2.ts";
import { diffusersFlux2Sizes, originalFlux2Sizes } from "../../../src/models/layouts/transformer-sizes.ts";
import { mlpRatioOf } from "../../../src/models/transformers/flux2-config.ts";
import { storedSource } from "../../../src/quantize/stored-source.ts";
import { GgufFile } from "../../../src/weights/gguf-file.ts";
import { readSafetensorsHeader } from "../../../src/weights/safetensors.ts";
import { SingleFile } from "../../../src/weights/single-file.ts";
import { difference } from "../../support/compare.ts";
import { fixtures, readTensors } from "../../support/fixtures.ts";
import { Flux2Case } from "../../support/flux2.ts";
import { ggufOf } from "../../support/gguf.ts";
import { float32, writeSafetensors } from "../../support/safetensors.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { refusal } from "../../support/refusal.ts";
import { requestedWeights } from "../../../src/models/count.ts";
import { flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import { flux2Modulation } from "../../../src/models/transformers/flux2-modulation.ts";

const FOLDER = path.join(fixtures, "flux2-files");
const WANTED = wantedOf("transformer", "FLUX.2");
const TOLERANCE = 1e-4;

const edit = await Flux2Case.read("file");
const velocities = await readTensors("flux2-files/velocities.safetensors");
const fileOf = (name: string): string => path.join(FOLDER, `${name}.safetensors`);

describe.each([...velocities.keys()])("the transformer in the file %s", (name) => {
  it("has the sizes of the folder", async () => {
    const file = await SingleFile.open(fileOf(name), WANTED);
    expect(file.layout()).toBe("FLUX.2's original transformer");
    expect(originalFlux2Sizes(file, edit.file)).toEqual(edit.config);
  });

  it("gives every weight once, and the reference's velocity", async () => {
    const file = await SingleFile.open(fileOf(name), WANTED);
    const weights = file.arrange("transformer", originalFlux2Layout(edit.config, file));
    const run = { weights: weights.scope(), weightsFolder: weights.baseFolder };
    const [modulation] = await edit.modulation(undefined, run);
    const velocity = await edit.velocity({ ...run, modulation: modulation! });
    expect(weights.unusedKeys()).toEqual([]);
    const expected = velocities.get(name)!.data as Float32Array;
    expect(difference(velocity, expected).relative).toBeLessThan(TOLERANCE);
  });
});

it("a GGUF file with the same names gives the numbers of every weight", async () => {
  const bytes = await readFile(fileOf("original"));
  const header = [...(await readSafetensorsHeader(fileOf("original")))];
  // The data in the order of the header, each tensor on a boundary of 32 bytes.
  let offset = 0;
  const tensors = header.map(([name, { shape, byteLength }]) => {
    const tensor = { name, dims: shape.toReversed(), code: 0, offset };
    offset += Math.ceil(byteLength / 32) * 32;
    return tensor;
  });
  const data = new Uint8Array(offset);
  for (const [index, [, { byteOffset, byteLength }]] of header.entries()) {
    data.set(bytes.subarray(byteOffset, byteOffset + byteLength), tensors[index]!.offset);
  }
  const file = path.join(await temporaryFolder(), "flux2.gguf");
  await writeFile(file, ggufOf(tensors, { data }));

  const gguf = await GgufFile.open(file, WANTED);
  expect(gguf.layout()).toBe("FLUX.2's original transformer");
  expect(originalFlux2Sizes(gguf, edit.file)).toEqual(edit.config);
  const single = await SingleFile.open(fileOf("original"), WANTED);
  const layout = originalFlux2Layout(edit.config);
  const expected = storedSource(single.arrange("transformer", layout));
  const wanted = new Map([...expected.weights()].map((weight) => [weight.key, weight]));
  const found = [...gguf.arrange(layout).weights()];
  expect(found).toHaveLength(wanted.size);
  for (const { key, shape, rows } of found) {
    expect(await rows(0, shape[0]!), key).toEqual(await wanted.get(key)!.rows(0, shape[0]!));
  }
});

it("a file with diffusers' own keys has the sizes of the folder", async () => {
  const requested = [
    ...requestedWeights((weights) => flux2Modulation(edit.config, weights, { isGuided: true })),
    ...requestedWeights((weights) => flux2Transformer(edit.config, weights, { textLength: 5 })),
  ];
  const file = path.join(await temporaryFolder(), "flux2.safetensors");
  const zeros = (shape: readonly number[]) =>
    float32(Array<number>(shape.reduce((product, dim) => product * dim, 1)).fill(0), [...shape]);
  await writeSafetensors(file, Object.fromEntries(requested.map(([key, { shape }]) => [key, zeros(shape)])));
  const single = await SingleFile.open(file, WANTED);
  expect(single.layout()).toBe("FLUX.2's transformer of diffusers");
  expect(diffusersFlux2Sizes(single, edit.file)).toEqual(edit.config);
});

describe("a transformer's file", () => {
  it.each<[ModelName, string, string]>([
    ["FLUX.1", "flux2-files/original", "a transformer of FLUX.2, and one of FLUX.1 is wanted"],
    ["FLUX.1", "flux2-files/comfy-fp8-scaled", "a transformer of FLUX.2, and one of FLUX.1 is wanted"],
    ["FLUX.2", "single-files/plain", "a transformer of FLUX.1, and one of FLUX.2 is wanted"],
    ["FLUX.2", "single-files/odd-comfy", "a transformer of FLUX.1, and one of FLUX.2 is wanted"],
  ])("of another model than %s is refused as what it is: %s", async (model, name, sentence) => {
    const file = path.join(fixtures, `${name}.safetensors`);
    const single = await SingleFile.open(file, wantedOf("transformer", model));
    expect(() => single.layout()).toThrow(
      refusal("CHECKPOINT_INVALID", `The weights file ${file} is ${sentence}.`),
    );
  });

  it("is refused without the axes of the rotary table, where they are not the published ones", async () => {
    const file = await SingleFile.open(fileOf("original"), WANTED);
    expect(() => originalFlux2Sizes(file, undefined)).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In ${file.file}, axes_dims_rope must be at most four even numbers with the sum attention_head_dim (4) and is [32,32,32,32].`,
      ),
    );
  });
});

it("a ratio of widths leads back to the same width, whatever the quotient is rounded to", () => {
  const sides = Array.from({ length: 199 }, (_, index) => index + 1);
  const wrong = sides.flatMap((width) =>
    sides.filter((mlpWidth) => Math.floor(width * mlpRatioOf(width, mlpWidth)) !== mlpWidth),
  );
  expect(wrong).toEqual([]);
});
