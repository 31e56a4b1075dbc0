/** What an edit is guided by: its prompts, encoded or given as embeddings, and the velocity that they lead to. */
import type { Encodings } from "../../engine/encodings.ts";
import type { GivenEmbeds } from "../../engine/given-tensors.ts";
import type { GivenForImage } from "../../engine/model.ts";
import type { ResolvedRequest } from "../../engine/request.ts";
import type { NoiseLevels } from "../../sampling/flow-match.ts";
import type { Adapters } from "../../models/adapters.ts";
import type { Question } from "../../engine/batches/batcher.ts";
import type { VelocityQuestion } from "../../sampling/sampler.ts";
import { checkShape } from "../shared/given.ts";
import { createModulation } from "../shared/modulation.ts";
import { cutNotice } from "../shared/notices.ts";
import type { GivenTokens, Networks, VelocityInputs } from "./networks.ts";
import type { Prompt } from "./prompt.ts";

export interface Prompts {
  positive: Prompt;
  /** Absent if there is no second pass. */
  negative: Prompt | undefined;
}

/** @throws RetouchError INVALID_PARAMETER for tensors of another shape than the networks and this edit have */
export function checkGiven({ flux }: Networks, given: GivenForImage, numTokens: number): void {
  const { embeds, negativeEmbeds, latents } = given;
  checkShape("promptEmbeds", embeds?.promptEmbeds, ["L", flux.promptSize]);
  checkShape("pooledPromptEmbeds", embeds?.pooledPromptEmbeds, [1, flux.pooledSize]);
  checkShape("negativePromptEmbeds", negativeEmbeds?.promptEmbeds, ["L", flux.promptSize]);
  checkShape("negativePooledPromptEmbeds", negativeEmbeds?.pooledPromptEmbeds, [1, flux.pooledSize]);
  checkShape("latents", latents, [numTokens, flux.inChannels]);
}

/** Encodes what is not given. */
export async function encodePrompts(
  networks: Networks,
  request: ResolvedRequest,
  { embeds, negativeEmbeds }: GivenForImage,
  {
    hasNegative,
    ...how
  }: { hasNegative: boolean; adapters: Adapters | undefined; encodings: Encodings | undefined },
): Promise<Prompts> {
  const { prompt, prompt2, negativePrompt, maxSequenceLength: length } = request;
  const positive = embeds ? promptOf(embeds) : await networks.encodePrompt({ prompt, prompt2, length }, how);
  if (!hasNegative) return { positive, negative: undefined };
  const negative = negativeEmbeds
    ? promptOf(negativeEmbeds)
    : await networks.encodePrompt({ prompt: negativePrompt, length }, how);
  return { positive, negative };
}

const promptOf = (embeds: GivenEmbeds): Prompt => ({
  promptEmbeds: embeds.promptEmbeds,
  pooledPromptEmbeds: embeds.pooledPromptEmbeds!,
  clipTokenIds: [],
  t5TokenIds: [],
  isCut: false,
});

/**
 * What the network's prediction for a prompt follows from, at any point; the modulation of all the schedule's noise levels is
 * computed at once.
 */
export async function inputsOf(
  networks: Networks,
  prompt: Prompt,
  {
    numTokens,
    referenceLatents,
    rotary,
    adapters,
  }: Pick<GivenTokens, "referenceLatents"> &
    Pick<VelocityInputs, "rotary" | "adapters"> & {
      numTokens: number;
    },
  { sigmas, timesteps, guidance }: NoiseLevels & { guidance: number },
): Promise<(question: VelocityQuestion) => Promise<Question<VelocityInputs>>> {
  const levels = { sigmas, timesteps };
  const modulationAt = await createModulation(levels, networks.schedule, (wanted) =>
    networks.modulations(wanted, guidance, prompt, adapters),
  );
  const embedded = await networks.embed({ referenceLatents, prompt, adapters });
  const shape = networks.shapeOf({ referenceLatents, ...prompt, numTokens });
  return async ({ latents, sigma }) => {
    const input = { embedded, rotary, adapters, latents, modulation: await modulationAt(sigma) };
    return { shape, shared: adapters, input };
  };
}

/** What the user should know of texts that were cut. */
export const cutNotices = ({ positive, negative }: Prompts): string[] => [
  ...(positive.isCut ? [cutNotice("prompt", positive.promptEmbeds.shape[0]!)] : []),
  ...(negative?.isCut ? [cutNotice("negative prompt", negative.promptEmbeds.shape[0]!)] : []),
];
