/** What an edit is guided by: its prompts, encoded or given as embeddings, and the velocity that they lead to. */
import { invalid } from "../../errors.ts";
import type { FloatTensor, GivenEmbeds } from "../../engine/given-tensors.ts";
import type { GivenForImage } from "../../engine/model.ts";
import type { ResolvedRequest } from "../../engine/request.ts";
import { type NoiseLevels, timestepOf } from "../../sampling/flow-match.ts";
import type { Adapters } from "../../models/adapters.ts";
import { ROTARY_THETA } from "../../models/transformers/flux-config.ts";
import { type RotaryTable, rotaryTable } from "../../models/transformers/rotary.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { textIds } from "./latents.ts";
import type { Networks, VelocityInputs } from "./networks.ts";
import type { Prompt } from "./prompt.ts";

export interface Prompts {
  positive: Prompt;
  /** Absent if there is no second pass. */
  negative: Prompt | undefined;
}

/** The most tokens of a text of the edit. */
export const textLengthOf = (
  { textLength }: Pick<Networks, "textLength">,
  { maxSequenceLength = textLength }: ResolvedRequest,
  { embeds, negativeEmbeds }: GivenForImage,
): number =>
  Math.max(...[embeds, negativeEmbeds].map((given) => given?.promptEmbeds.shape[0] ?? maxSequenceLength));

/** @throws RetouchError INVALID_PARAMETER for tensors of another shape than the networks and this edit have */
export function checkGiven({ flux }: Networks, given: GivenForImage, numTokens: number): void {
  const { embeds, negativeEmbeds, latents } = given;
  const check = (field: string, tensor: FloatTensor | undefined, wanted: readonly (number | string)[]) => {
    if (tensor === undefined) return;
    const isRight = tensor.shape.every(
      (dim, axis) => dim === wanted[axis] || typeof wanted[axis] === "string",
    );
    if (isRight) return;
    const [found, right] = [tensor.shape, wanted].map((shape) => `[${shape.join(", ")}]`);
    throw invalid("type", { field, wanted: `a tensor of the shape ${right} here, not ${found}` });
  };
  check("promptEmbeds", embeds?.promptEmbeds, ["L", flux.promptSize]);
  check("pooledPromptEmbeds", embeds?.pooledPromptEmbeds, [1, flux.pooledSize]);
  check("negativePromptEmbeds", negativeEmbeds?.promptEmbeds, ["L", flux.promptSize]);
  check("negativePooledPromptEmbeds", negativeEmbeds?.pooledPromptEmbeds, [1, flux.pooledSize]);
  check("latents", latents, [numTokens, flux.inChannels]);
}

/** Encodes what is not given. */
export async function encodePrompts(
  networks: Networks,
  request: ResolvedRequest,
  { embeds, negativeEmbeds }: GivenForImage,
  { hasNegative, adapters }: { hasNegative: boolean; adapters: Adapters | undefined },
): Promise<Prompts> {
  const { prompt, prompt2, negativePrompt, maxSequenceLength: length } = request;
  const positive = embeds
    ? promptOf(embeds)
    : await networks.encodePrompt({ prompt, prompt2, length }, adapters);
  if (!hasNegative) return { positive, negative: undefined };
  const negative = negativeEmbeds
    ? promptOf(negativeEmbeds)
    : await networks.encodePrompt({ prompt: negativePrompt, length }, adapters);
  return { positive, negative };
}

const promptOf = (embeds: GivenEmbeds): Prompt => ({
  promptEmbeds: embeds.promptEmbeds,
  pooledPromptEmbeds: embeds.pooledPromptEmbeds!,
  clipTokenIds: [],
  t5TokenIds: [],
  isCut: false,
});

/** The angles for a text's tokens and those of target and reference. @param imageIds positions of the latter two */
export function createRotary(
  { flux }: Pick<Networks, "flux">,
  imageIds: readonly Float32Array[],
): (prompt: Prompt) => RotaryTable {
  const tables = new Map<number, RotaryTable>();
  return ({ promptEmbeds }) => {
    const length = promptEmbeds.shape[0]!;
    const known = tables.get(length);
    if (known) return known;
    const ids = joined([textIds(length), ...imageIds]);
    const table = rotaryTable(ids, { axes: flux.rotaryAxes, theta: ROTARY_THETA });
    tables.set(length, table);
    return table;
  };
}

/** The network's prediction for a prompt; the modulation of all the schedule's noise levels is computed at once. */
export async function velocityOf(
  networks: Networks,
  prompt: Prompt,
  inputs: Pick<VelocityInputs, "referenceLatents" | "rotary" | "adapters">,
  { sigmas, timesteps, guidance }: NoiseLevels & { guidance: number },
): Promise<Velocity> {
  const rows = await networks.modulations(timesteps, guidance, prompt, inputs.adapters);
  const known = new Map(rows.map((modulation, step) => [sigmas[step]!, modulation]));
  return async ({ latents, sigma }) => {
    const modulation =
      known.get(sigma) ??
      (
        await networks.modulations(
          Float32Array.of(timestepOf(sigma, networks.schedule)),
          guidance,
          prompt,
          inputs.adapters,
        )
      )[0]!;
    return networks.velocity({ ...inputs, prompt, latents, modulation });
  };
}

/** What the user should know of texts that were cut. */
export function cutNotices({ positive, negative }: Prompts): string[] {
  const notice = (name: string, { promptEmbeds }: Prompt): string =>
    `The ${name} is longer than the ${promptEmbeds.shape[0]} tokens that this checkpoint reads; its end was left out.`;
  return [
    ...(positive.isCut ? [notice("prompt", positive)] : []),
    ...(negative?.isCut ? [notice("negative prompt", negative)] : []),
  ];
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
