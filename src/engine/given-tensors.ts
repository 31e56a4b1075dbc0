/**
 * What only programs can give: tensors in place of what an edit would compute or draw, and the number of images that
 * share one draw of noise. Checked here, once, except for sizes that only the model knows.
 */
import { invalid } from "../errors.ts";

/** Numbers and their shape; the last dimension is contiguous. */
export interface FloatTensor {
  data: Float32Array;
  shape: readonly number[];
}

/** Part of an edit's request. */
export interface TensorRequest {
  /**
   * The text encoder's output for every token, [Lt, C] or [1, Lt, C], in place of `prompt`. FLUX.1's is T5's, and needs
   * `pooledPromptEmbeds`; FLUX.2's is that of three layers of Qwen3, side by side.
   */
  promptEmbeds?: FloatTensor | undefined;
  /** CLIP's output for the whole text, [C] or [1, C]; FLUX.2 has none. */
  pooledPromptEmbeds?: FloatTensor | undefined;
  /** The same in place of `negativePrompt`; with FLUX.1, a second pass follows if `trueCfgScale` is above 1. */
  negativePromptEmbeds?: FloatTensor | undefined;
  negativePooledPromptEmbeds?: FloatTensor | undefined;
  /** Packed latents to begin with, [1, L, C] for one image, [n, L, C] for several, in place of noise from the seed. */
  latents?: FloatTensor | undefined;
  /** Images from one draw of noise, 1 to 16, as PyTorch draws a batch; they are made one after the other. @default 1 */
  numImagesPerPrompt?: number | undefined;
}

/** The embeddings of a text: [Lt, C], and [1, C] for a model that pools them. */
export interface GivenEmbeds {
  promptEmbeds: FloatTensor;
  pooledPromptEmbeds?: FloatTensor | undefined;
}

/** A {@link TensorRequest}, checked as far as it can be without the model. */
export interface GivenTensors {
  embeds: GivenEmbeds | undefined;
  negativeEmbeds: GivenEmbeds | undefined;
  /** [n, L, C]. */
  latents: FloatTensor | undefined;
  numImages: number;
}

export const MAX_IMAGES_PER_PROMPT = 16;
/** T5 reads at most 512 tokens; embeddings may be of several texts. */
export const MAX_EMBEDDED_TOKENS = 4096;

/**
 * @param options.isPooled whether the model's embeddings include a pooled one
 * @throws RetouchError INVALID_PARAMETER with the field and what it must be
 */
export function resolveTensors(
  request: TensorRequest,
  { isPooled = true }: { isPooled?: boolean } = {},
): GivenTensors {
  const { numImagesPerPrompt = 1 } = request;
  const isCount =
    Number.isInteger(numImagesPerPrompt) &&
    numImagesPerPrompt >= 1 &&
    numImagesPerPrompt <= MAX_IMAGES_PER_PROMPT;
  if (!isCount) {
    throw invalid("range", {
      field: "numImagesPerPrompt",
      wanted: "a whole number",
      min: 1,
      max: MAX_IMAGES_PER_PROMPT,
      given: String(numImagesPerPrompt),
    });
  }
  const read = isPooled ? pooledEmbedsOf : plainEmbedsOf;
  const embeds = read(request, "promptEmbeds", "pooledPromptEmbeds");
  const negativeEmbeds = read(request, "negativePromptEmbeds", "negativePooledPromptEmbeds");
  const [tokens, wanted] = [negativeEmbeds, embeds].map((given) => given?.promptEmbeds.shape[0]);
  if (tokens !== undefined && wanted !== undefined && tokens !== wanted) {
    throw invalid("type", {
      field: "negativePromptEmbeds",
      wanted: `a tensor with as many tokens as promptEmbeds, ${wanted}, not ${tokens}`,
    });
  }
  const { latents } = request;
  const numImages = numImagesPerPrompt;
  return {
    embeds,
    negativeEmbeds,
    latents: latents && tensorOf("latents", latents, latentsForm(numImages), numImages),
    numImages,
  };
}

const latentsForm = (numImages: number): string =>
  numImages === 1 ? "[1, L, C] or [L, C]" : `[${numImages}, L, C]`;

type EmbedsReader = (
  request: TensorRequest,
  field: "promptEmbeds" | "negativePromptEmbeds",
  pooledField: "pooledPromptEmbeds" | "negativePooledPromptEmbeds",
) => GivenEmbeds | undefined;

const plainEmbedsOf: EmbedsReader = (request, field, pooledField) => {
  if (request[pooledField] !== undefined) {
    throw invalid("unsupported", {
      field: pooledField,
      reason: "the model of this checkpoint has no pooled embeddings",
    });
  }
  const embeds = request[field];
  return embeds && { promptEmbeds: textOf(field, embeds) };
};

const pooledEmbedsOf: EmbedsReader = (request, field, pooledField) => {
  const [embeds, pooled] = [request[field], request[pooledField]];
  if (embeds === undefined && pooled === undefined) return undefined;
  if (embeds === undefined || pooled === undefined) {
    throw invalid("together", { field, other: pooledField });
  }
  const promptEmbeds = textOf(field, embeds);
  const pooledShape = asShape(pooled?.shape);
  const isFlat = pooledShape.length === 1 || (pooledShape.length === 2 && pooledShape[0] === 1);
  const flat = { data: pooled?.data, shape: isFlat ? [1, 1, pooledShape.at(-1)!] : [] };
  const pooledEmbeds = tensorOf(pooledField, flat, "[1, C] or [C]", 1);
  return {
    promptEmbeds,
    pooledPromptEmbeds: { data: pooledEmbeds.data, shape: [1, pooledEmbeds.shape[2]!] },
  };
};

/** The embeddings of one text, [Lt, C]. */
function textOf(field: string, given: FloatTensor): FloatTensor {
  const { data, shape } = tensorOf(field, given, "[1, L, C] or [L, C]", 1);
  const [, tokens, width] = shape as [number, number, number];
  if (tokens > MAX_EMBEDDED_TOKENS) {
    throw invalid("type", { field, wanted: `a tensor of at most ${MAX_EMBEDDED_TOKENS} tokens` });
  }
  return { data, shape: [tokens, width] };
}

/** As [batch, rows, columns]; a batch of one may have been left out. */
function tensorOf(field: string, given: Partial<FloatTensor>, form: string, batch: number): FloatTensor {
  const { data } = (given ?? {}) as Partial<FloatTensor>;
  const given3 = asShape(given?.shape);
  const shape = given3.length === 2 && batch === 1 ? [1, ...given3] : given3;
  const size = shape.reduce((product, dim) => product * dim, 1);
  const isRight =
    data instanceof Float32Array &&
    shape.length === 3 &&
    shape[0] === batch &&
    size > 0 &&
    size === data.length;
  if (!isRight) {
    const wanted = `a tensor { data, shape } of the shape ${form}, data being a Float32Array of as many numbers`;
    throw invalid("type", { field, wanted });
  }
  if (!data.every(Number.isFinite)) throw invalid("type", { field, wanted: "a tensor of finite numbers" });
  return { data, shape };
}

const asShape = (shape: unknown): number[] =>
  Array.isArray(shape) && shape.every((dim) => Number.isInteger(dim) && dim > 0) ? (shape as number[]) : [];

/** The part of one image of several: its own latents, as [L, C]. */
export function latentsOf({ latents }: GivenTensors, index: number): FloatTensor | undefined {
  if (latents === undefined) return undefined;
  const [, rows, columns] = latents.shape as [number, number, number];
  const data = latents.data.subarray(index * rows * columns, (index + 1) * rows * columns);
  return { data, shape: [rows, columns] };
}

/** Whether anything but the usual is given. */
export const hasTensors = ({ embeds, negativeEmbeds, latents }: GivenTensors): boolean =>
  embeds !== undefined || negativeEmbeds !== undefined || latents !== undefined;
