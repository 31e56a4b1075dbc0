/** Tensors in a request: their forms, their limits, and what excludes what. */
import { describe, expect, it } from "vitest";
import { type FloatTensor, latentsOf, resolveTensors } from "../../src/engine/given-tensors.ts";
import { type EditRequest, resolveRequest } from "../../src/engine/request.ts";
import { refusal } from "../support/refusal.ts";

const tensor = (...shape: number[]): FloatTensor => ({
  data: Float32Array.from({ length: shape.reduce((size, dim) => size * dim, 1) }, (_, index) => index),
  shape,
});
const resolve = (fields: Record<string, unknown>) => resolveTensors(fields as Partial<EditRequest>);
const invalid = (sentence: string): unknown => refusal("INVALID_PARAMETER", sentence);
const embeds = { promptEmbeds: tensor(5, 8), pooledPromptEmbeds: tensor(4) };

describe("given tensors", () => {
  it("may have a batch of one or none", () => {
    const expected = { promptEmbeds: tensor(5, 8), pooledPromptEmbeds: tensor(1, 4) };
    const batched = { promptEmbeds: tensor(1, 5, 8), pooledPromptEmbeds: tensor(1, 4) };
    for (const given of [embeds, batched]) expect(resolve(given).embeds).toEqual(expected);
    for (const latents of [tensor(6, 16), tensor(1, 6, 16)]) {
      expect(resolve({ latents }).latents).toEqual(tensor(1, 6, 16));
    }
    expect(resolve({})).toEqual({
      embeds: undefined,
      negativeEmbeds: undefined,
      latents: undefined,
      numImages: 1,
    });
  });

  it("give each image its own latents", () => {
    const given = resolve({ latents: tensor(2, 3, 4), numImagesPerPrompt: 2 });
    expect([0, 1].map((index) => latentsOf(given, index)!.data[0])).toEqual([0, 12]);
    expect(latentsOf(given, 1)!.shape).toEqual([3, 4]);
    expect(latentsOf(resolve({}), 0)).toBeUndefined();
  });

  const form = (shape: string): string =>
    `a tensor { data, shape } of the shape ${shape}, data being a Float32Array of as many numbers.`;
  it.each<[Record<string, unknown>, string]>([
    [{ numImagesPerPrompt: 0 }, "numImagesPerPrompt must be a whole number from 1 to 16, not 0."],
    [{ numImagesPerPrompt: 17 }, "numImagesPerPrompt must be a whole number from 1 to 16, not 17."],
    [{ numImagesPerPrompt: "2" }, "numImagesPerPrompt must be a whole number from 1 to 16, not 2."],
    [{ promptEmbeds: tensor(5, 8) }, "promptEmbeds and pooledPromptEmbeds must be given together."],
    [{ pooledPromptEmbeds: tensor(4) }, "promptEmbeds and pooledPromptEmbeds must be given together."],
    [
      { negativePromptEmbeds: tensor(5, 8) },
      "negativePromptEmbeds and negativePooledPromptEmbeds must be given together.",
    ],
    [{ ...embeds, promptEmbeds: tensor(8) }, `promptEmbeds must be ${form("[1, L, C] or [L, C]")}`],
    [{ ...embeds, promptEmbeds: tensor(2, 5, 8) }, `promptEmbeds must be ${form("[1, L, C] or [L, C]")}`],
    [{ ...embeds, promptEmbeds: [1, 2] }, `promptEmbeds must be ${form("[1, L, C] or [L, C]")}`],
    [{ ...embeds, promptEmbeds: null }, `promptEmbeds must be ${form("[1, L, C] or [L, C]")}`],
    [{ ...embeds, promptEmbeds: tensor(4097, 1) }, "promptEmbeds must be a tensor of at most 4096 tokens."],
    [{ ...embeds, pooledPromptEmbeds: tensor(2, 4) }, `pooledPromptEmbeds must be ${form("[1, C] or [C]")}`],
    [{ latents: { ...tensor(6, 16), shape: [6, 15] } }, `latents must be ${form("[1, L, C] or [L, C]")}`],
    [{ latents: { ...tensor(6, 16), shape: [6, -16] } }, `latents must be ${form("[1, L, C] or [L, C]")}`],
    [{ latents: { shape: [2], data: [1, 2] } }, `latents must be ${form("[1, L, C] or [L, C]")}`],
    [{ latents: tensor(6, 16), numImagesPerPrompt: 2 }, `latents must be ${form("[2, L, C]")}`],
    [
      { latents: { data: Float32Array.of(1, Number.NaN), shape: [1, 2] } },
      "latents must be a tensor of finite numbers.",
    ],
    [
      { ...embeds, negativePromptEmbeds: tensor(6, 8), negativePooledPromptEmbeds: tensor(4) },
      "negativePromptEmbeds must be a tensor with as many tokens as promptEmbeds, 5, not 6.",
    ],
  ])("are refused as %j", (given, sentence) => {
    expect(() => resolve(given)).toThrow(invalid(sentence));
  });
});

describe("a request with embeddings", () => {
  const request = { image: new Uint8Array(), seed: 1 };

  it("needs no prompt", () => {
    expect(resolveRequest({ ...request, ...embeds })).toMatchObject({ prompt: "", prompt2: undefined });
    expect(() => resolveRequest(request)).toThrow(invalid("prompt must be a string."));
  });

  it.each<[Partial<EditRequest>, string]>([
    [{ ...embeds, prompt: "a hat" }, "prompt and promptEmbeds must not be given together."],
    [{ ...embeds, prompt2: "a hat" }, "prompt2 and promptEmbeds must not be given together."],
    [
      { prompt: "a", negativePrompt: "b", negativePromptEmbeds: tensor(5, 8) },
      "negativePrompt and negativePromptEmbeds must not be given together.",
    ],
  ])("is refused with the text as well", (fields, sentence) => {
    expect(() => resolveRequest({ ...request, ...fields })).toThrow(invalid(sentence));
  });
});
