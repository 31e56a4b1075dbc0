/** The velocity of a fixture's first step, from what the reference gives the transformer there. */
import type { Adapters } from "../../src/models/adapters.ts";
import type { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import type { FixtureTensor } from "./fixtures.ts";

/** @param tensors of one of `cases/`, whose rotary tables have every angle twice */
export async function firstVelocity(
  networks: Networks,
  tensors: ReadonlyMap<string, FixtureTensor>,
  guidance: number,
  adapters?: Adapters,
): Promise<Float32Array> {
  const floats = (key: string): Float32Array => tensors.get(key)!.data as Float32Array;
  const half = (key: string): Float32Array => floats(key).filter((_, index) => index % 2 === 0);
  const prompt = {
    promptEmbeds: { data: floats("promptEmbeds"), shape: tensors.get("promptEmbeds")!.shape.slice(1) },
    pooledPromptEmbeds: {
      data: floats("pooledPromptEmbeds"),
      shape: tensors.get("pooledPromptEmbeds")!.shape,
    },
    clipTokenIds: [],
    t5TokenIds: [],
    isCut: false,
  };
  const [modulation] = await networks.modulations(
    floats("sigmas").subarray(0, 1),
    guidance,
    prompt,
    adapters,
  );
  return networks.velocity({
    latents: floats("noise"),
    referenceLatents: floats("referenceLatents"),
    rotary: { cos: half("rotaryCos"), sin: half("rotarySin") },
    prompt,
    modulation: modulation!,
    adapters,
  });
}
