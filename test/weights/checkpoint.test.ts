import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { add, mul } from "../../src/onnx/ops.ts";
import { loadSession } from "../../src/runtime/load.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { refusal } from "../support/refusal.ts";
import { float32, type TensorFields, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const INDEX = "diffusion_pytorch_model.safetensors.index.json";

/** A checkpoint folder that names its pipeline and has an empty folder `transformer`. */
async function checkpointFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, "model_index.json"), '{"_class_name": "FluxKontextPipeline"}');
  await mkdir(path.join(folder, "transformer"));
  return folder;
}

/** The same with weights in shards, whose index is as given. */
async function sharded(
  weightMap: unknown,
  shards: Record<string, Record<string, TensorFields>>,
): Promise<string> {
  const folder = await checkpointFolder();
  await writeFile(path.join(folder, "transformer", INDEX), JSON.stringify({ weight_map: weightMap }));
  for (const [name, tensors] of Object.entries(shards)) {
    await writeSafetensors(path.join(folder, "transformer", name), tensors);
  }
  return folder;
}

const transformerOf = async (folder: string) => (await Checkpoint.open(folder)).weights("transformer");

describe("an index", () => {
  it.each<[string, unknown, RegExp]>([
    [
      "that is a list",
      ["a.safetensors"],
      /, weight_map must be an object of file names and is \["a\.safetensors"\]\.$/,
    ],
    [
      "that is a text",
      "a.safetensors",
      /, weight_map must be an object of file names and is "a\.safetensors"\.$/,
    ],
    ["that is a number", 5, /, weight_map must be an object of file names and is 5\.$/],
    [
      "of more files than there may be",
      Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`w${index}`, `${index}.safetensors`])),
      /, weight_map must list at most 100000 weights, .* in at most 1000 files\.$/,
    ],
    [
      "of more weights than there may be",
      Object.fromEntries(Array.from({ length: 100_001 }, (_, index) => [`w${index}`, "a.safetensors"])),
      /, weight_map must list at most 100000 weights, /,
    ],
    [
      "with a name that is a book",
      { ["w".repeat(1001)]: "a.safetensors" },
      /, with names of at most 1000 characters, /,
    ],
    ["with a nested file", { w: { a: [] } }, /, an object is no file name\.$/],
  ])("%s is refused by its name", async (_, weightMap, sentence) => {
    const folder = await sharded(weightMap, {});
    const failure = transformerOf(folder);
    await expect(failure).rejects.toEqual(refusal("CHECKPOINT_INVALID", sentence));
    await expect(failure).rejects.toThrow(`In ${path.join(folder, "transformer", INDEX)}, `);
  });
});

describe("Checkpoint.open", () => {
  it("says which folder does not exist, and takes no file for one", async () => {
    const folder = await checkpointFolder();
    for (const missing of [path.join(folder, "missing"), path.join(folder, "model_index.json")]) {
      await expect(Checkpoint.open(missing)).rejects.toEqual(
        refusal("CHECKPOINT_MISSING", `The checkpoint folder ${missing} does not exist.`),
      );
    }
  });

  it("wants a model_index.json", async () => {
    const folder = await temporaryFolder();
    await expect(Checkpoint.open(folder)).rejects.toEqual(
      refusal(
        "CHECKPOINT_MISSING",
        `The checkpoint file ${path.join(folder, "model_index.json")} cannot be read.`,
      ),
    );
  });

  it("knows which pipeline it is for", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "model_index.json"), '{"_class_name": "StableDiffusionPipeline"}');
    expect((await Checkpoint.open(folder)).className).toBe("StableDiffusionPipeline");
  });

  it("knows its folder by the absolute path", async () => {
    const folder = await checkpointFolder();
    const checkpoint = await Checkpoint.open(path.relative(process.cwd(), folder));
    expect(checkpoint.folder).toBe(folder);
    expect(await checkpoint.has("transformer")).toBe(true);
    expect(await checkpoint.has("vae")).toBe(false);
  });
});

describe("the weights of a component", () => {
  it.each(["diffusion_pytorch_model.safetensors", "model.safetensors"])("may lie in %s", async (name) => {
    const folder = await checkpointFolder();
    await writeSafetensors(path.join(folder, "transformer", name), { a: float32([1]) });
    const weights = await transformerOf(folder);
    expect([weights.name, weights.has("a")]).toEqual(["transformer", true]);
  });

  it("lie in the file that a configuration of transformers names", async () => {
    const folder = await checkpointFolder();
    const index = { _class_name: "FluxKontextPipeline", transformer: ["transformers", "T5EncoderModel"] };
    await writeFile(path.join(folder, "model_index.json"), JSON.stringify(index));
    await writeSafetensors(path.join(folder, "transformer", "model.safetensors"), { a: float32([1]) });
    await writeSafetensors(path.join(folder, "transformer", "other.safetensors"), { b: float32([1]) });
    const config = path.join(folder, "transformer", "config.json");
    await writeFile(config, '{"transformers_weights": "other.safetensors"}');
    expect((await transformerOf(folder)).has("b")).toBe(true);
    await writeFile(config, '{"transformers_weights": "../other.safetensors"}');
    await expect(transformerOf(folder)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", /, transformers_weights must be the name of a \.safetensors file /),
    );
  });

  it("of a variant are used with a notice", async () => {
    const folder = await checkpointFolder();
    const file = path.join(folder, "transformer", "diffusion_pytorch_model.fp16.safetensors");
    await writeSafetensors(file, { a: float32([1]) });
    const checkpoint = await Checkpoint.open(folder);
    expect((await checkpoint.weights("transformer")).has("a")).toBe(true);
    expect(checkpoint.notices).toEqual(['transformer: the weights are those of the variant "fp16".']);
  });

  it("that are missing are missed by the names they could have", async () => {
    const folder = await checkpointFolder();
    await expect(transformerOf(folder)).rejects.toEqual(
      refusal(
        "CHECKPOINT_MISSING",
        `The folder ${path.join(folder, "transformer")} has no diffusion_pytorch_model.safetensors or model.safetensors.`,
      ),
    );
  });

  it("may lie in the shards that an index lists", async () => {
    const folder = await sharded(
      { a: "1.safetensors", b: "2.safetensors" },
      { "1.safetensors": { a: float32([1]) }, "2.safetensors": { b: float32([2]) } },
    );
    const weights = await transformerOf(folder);
    expect([weights.has("a"), weights.has("b")]).toEqual([true, true]);
  });
});

describe("an index of shards", () => {
  it("is refused where a shard does not exist", async () => {
    const folder = await sharded(
      { a: "1.safetensors", b: "2.safetensors" },
      { "1.safetensors": { a: float32([1]) } },
    );
    await expect(transformerOf(folder)).rejects.toEqual(
      refusal(
        "CHECKPOINT_MISSING",
        `The weights file ${path.join(folder, "transformer", "2.safetensors")} does not exist.`,
      ),
    );
  });

  it.each(["../vae/1.safetensors", "/etc/passwd", "deep/1.safetensors", "..", ".", "", 7])(
    "is refused where it names %o, which is no file beside it",
    async (shard) => {
      const folder = await sharded({ a: shard }, {});
      await expect(transformerOf(folder)).rejects.toEqual(
        refusal(
          "CHECKPOINT_INVALID",
          `In ${path.join(folder, "transformer", INDEX)}, ${JSON.stringify(shard)} is no file name.`,
        ),
      );
    },
  );

  it("may list a weight in the wrong shard, or none that holds it, and leave one out", async () => {
    const folder = await sharded(
      { a: "2.safetensors", ghost: "1.safetensors" },
      { "1.safetensors": { a: float32([1]), b: float32([2]) }, "2.safetensors": { c: float32([3]) } },
    );
    const weights = await transformerOf(folder);
    expect(["a", "b", "c", "ghost"].map((key) => weights.has(key))).toEqual([true, true, true, false]);
  });

  it("takes a weight that two shards hold from the one whose name comes last", async () => {
    const folder = await sharded(
      { b: "2.safetensors", a: "1.safetensors" },
      { "1.safetensors": { a: float32([1]) }, "2.safetensors": { a: float32([1, 2]), b: float32([3]) } },
    );
    const [, a] = [...(await transformerOf(folder)).entries()].find(([key]) => key === "a")!;
    expect(a.shape).toEqual([2]);
  });

  it.each([undefined, {}])("is refused where it lists nothing: %o", async (weightMap) => {
    const folder = await sharded(weightMap, {});
    await expect(transformerOf(folder)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `${path.join(folder, "transformer", INDEX)} lists no weights.`),
    );
  });
});

describe("weights behind symbolic links", () => {
  it("load and run, as a hub cache has them", async () => {
    const folder = await sharded(
      { a: "1.safetensors", b: "2.safetensors", c: "2.safetensors" },
      {
        "1.safetensors": { a: float32([1, 2]) },
        "2.safetensors": { b: float32([10, 20]), c: float32([0.5, 0.25]) },
      },
    );
    const blobs = path.join(await temporaryFolder(), "blobs");
    await mkdir(path.join(blobs, "more"), { recursive: true });
    for (const [name, blob] of [
      ["1.safetensors", path.join(blobs, "6ba7b810")],
      ["2.safetensors", path.join(blobs, "more", "9dad11d1")],
    ] as const) {
      const link = path.join(folder, "transformer", name);
      await rename(link, blob);
      await symlink(path.relative(path.dirname(link), blob), link);
    }

    const weights = await transformerOf(folder);
    const [a, b, c] = ["a", "b", "c"].map((key) => weights.take(key, [2]));
    const session = await loadSession({ y: mul(add(a!, b!), c!) }, weights, { threads: 1 });
    const { y } = await session.run({});
    await session.dispose();
    expect([...y!.data]).toEqual([5.5, 5.5]);
  });
});
