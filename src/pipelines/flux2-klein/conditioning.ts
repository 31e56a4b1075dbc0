/** What an edit is guided by: its texts and references, encoded or given, and the velocity that they lead to. */
import type { Encodings } from "../../engine/encodings.ts";
import { invalid } from "../../errors.ts";
import type { GivenForImage } from "../../engine/model.ts";
import type { ResolvedRequest } from "../../engine/request.ts";
import type { SizePlan } from "../../engine/sizes.ts";
import type { Picture } from "../../images/picture.ts";
import type { Adapters } from "../../models/adapters.ts";
import { REFERENCE_SIGMA, referenceNames } from "../../models/transformers/flux2-references.ts";
import { rotaryTable } from "../../models/transformers/rotary.ts";
import { widthOf } from "../../models/transformers/flux2-config.ts";
import type { Tensor } from "../../runtime/session.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { checkShape } from "../shared/given.ts";
import { cutNotice } from "../shared/notices.ts";
import { encode } from "../shared/pictures.ts";
import { joined } from "../shared/rotary.ts";
import type { Networks, References, VelocityInputs } from "./networks.ts";
import type { Prompt } from "./prompt.ts";

export interface Prompts {
  positive: Prompt;
  /** Absent if there is no second pass. */
  negative: Prompt | undefined;
}

/** @throws RetouchError INVALID_PARAMETER for what this model does not take, and for tensors of another shape */
export function checkTaken(
  { configs: { transformer } }: Networks,
  { prompt2 }: ResolvedRequest,
  { embeds, negativeEmbeds, latents }: GivenForImage,
  numTokens: number,
): void {
  if (prompt2 !== undefined) {
    throw invalid("unsupported", {
      field: "prompt2",
      reason: "the model of this checkpoint reads one prompt",
    });
  }
  checkShape("promptEmbeds", embeds?.promptEmbeds, ["L", transformer.promptSize]);
  checkShape("negativePromptEmbeds", negativeEmbeds?.promptEmbeds, ["L", transformer.promptSize]);
  checkShape("latents", latents, [numTokens, transformer.inChannels]);
}

/** Encodes what is not given. */
export async function encodePrompts(
  networks: Networks,
  { prompt, negativePrompt, maxSequenceLength: length }: ResolvedRequest,
  { embeds, negativeEmbeds }: GivenForImage,
  { isGuided, encodings }: { isGuided: boolean; encodings: Encodings | undefined },
): Promise<Prompts> {
  const positive = embeds ? promptOf(embeds) : await networks.encodePrompt(prompt, length, encodings);
  if (!isGuided) return { positive, negative: undefined };
  const negative = negativeEmbeds
    ? promptOf(negativeEmbeds)
    : // Blank means none, and none is the empty text.
      await networks.encodePrompt(negativePrompt.trim() === "" ? "" : negativePrompt, length, encodings);
  return { positive, negative };
}

const promptOf = ({ promptEmbeds }: Pick<Prompt, "promptEmbeds">): Prompt => ({
  promptEmbeds,
  tokenIds: [],
  isCut: false,
});

/** What the user should know of texts that were cut. */
export const cutNotices = ({ positive, negative }: Prompts): string[] => [
  ...(positive.isCut ? [cutNotice("prompt", positive.promptEmbeds.shape[0]!)] : []),
  ...(negative?.isCut ? [cutNotice("negative prompt", negative.promptEmbeds.shape[0]!)] : []),
];

/** Encodes the images to packed latents, in order. */
export async function encodeReferences(
  networks: Networks,
  images: readonly Picture[],
  { references }: Pick<SizePlan, "references">,
  encodings?: Encodings,
): Promise<Float32Array[]> {
  const latents: Float32Array[] = [];
  for (const [index, image] of images.entries())
    latents.push(await encode(networks, image, references[index]!, encodings));
  return latents;
}

/** What the transformer sees of the references in every step. @param ids their positions */
export async function createReferences(
  networks: Networks,
  latents: readonly Float32Array[],
  ids: readonly Float32Array[],
  adapters: Adapters | undefined,
): Promise<References> {
  const { transformer, areReferencesKept } = networks.configs;
  const tokens = joined(latents);
  if (!areReferencesKept) return { referenceLatents: networks.tokens(tokens) };
  if (latents.length === 0) {
    const none = { data: new Float32Array(0), shape: [0, widthOf(transformer)] };
    return Object.fromEntries(
      referenceNames(transformer).flatMap(({ key, value }) => [[key, none] as const, [value, none] as const]),
    );
  }
  const { rotaryAxes: axes, rotaryTheta: theta } = transformer;
  const [modulation] = await networks.modulations(Float32Array.of(REFERENCE_SIGMA), adapters);
  const rotary = rotaryTable(joined(ids), { axes, theta });
  return networks.referenceKeys(tokens, rotary, { modulation: modulation!, adapters });
}

/** The network's prediction for a prompt. */
export async function velocityOf(
  networks: Networks,
  {
    prompt,
    references,
    ...inputs
  }: Omit<VelocityInputs, "latents" | "modulation" | "embedded"> & {
    prompt: Prompt;
    references: References;
  },
  modulationAt: (sigma: number) => Promise<Tensor>,
): Promise<Velocity> {
  const embedded = await networks.embed(prompt, references, inputs.adapters);
  return async ({ latents, sigma }) =>
    networks.velocity({ ...inputs, embedded, latents, modulation: await modulationAt(sigma) });
}
