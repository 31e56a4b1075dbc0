/** What the receipt of an edit says of how it was made. */
import { sha256 } from "../sha256.ts";
import type { ChosenLoras } from "../lora/registry.ts";
import type { Json } from "../receipts/canonical-json.ts";
import { digestOf, type ReceiptFacts, textDigest } from "../receipts/receipt.ts";
import type { ReuseBudget } from "../sampling/reuse.ts";
import { TENSORS } from "./identity.ts";
import type { Draw } from "./model.ts";
import { type EditRequest, imagesOf, type ResolvedRequest } from "./request.ts";
import type { Environment } from "./state-file.ts";

/** The parameters that stand in a receipt as they are; `loras`, `seed` and the texts have places of their own. */
export const RECEIPT_PARAMETERS = [
  "maxSequenceLength",
  "isEmptyNegativeUsed",
  "trueCfgScale",
  "size",
  "sizeRule",
  "numSteps",
  "sampler",
  "sigmas",
  "guidance",
  "acceleration",
  "minPsnr",
  "imageLayout",
  "format",
  "outputQuality",
  "background",
  "isSafetyChecked",
  "preserve",
  "isMaskWanted",
  "isTransparencyEdited",
  "strength",
  "paddingMaskCrop",
  "maskBlur",
  "maskFeather",
] as const satisfies readonly (keyof ResolvedRequest)[];

/** The texts of an edit; an empty one is none. */
export const RECEIPT_TEXTS = ["prompt", "prompt2", "negativePrompt"] as const;

/** PyTorch's generator on the CPU, which `sampling/random.ts` draws as. */
const GENERATOR = "PyTorch CPU (MT19937)";

export interface EditBasis {
  /** As in the request. */
  request: EditRequest;
  resolved: ResolvedRequest;
  loras: ChosenLoras;
  arithmetic: string;
  /** What could be reused, where anything was. */
  reuse: ReuseBudget | undefined;
}

export interface ReceiptTools {
  modelName: string;
  checkpoint: () => Promise<string>;
  /** Of the networks that computed the latest edit. */
  graph: () => Promise<string>;
  environment: () => Promise<Environment>;
  weights: Readonly<Record<string, string>>;
  referenceCache: string | undefined;
}

/** The same for all images of an edit. */
export type CommonFacts = Omit<ReceiptFacts, "seed" | "noise">;

/** @throws RetouchError LORA_INVALID for a file that is gone */
export async function receiptFacts(
  tools: ReceiptTools,
  { request, resolved, loras, arithmetic, reuse }: EditBasis,
): Promise<CommonFacts> {
  const { build, runtime, device, processor, tiles } = await tools.environment();
  const digests = await loras.digests();
  const tensors = TENSORS.flatMap((name) => {
    const { data } = request[name] ?? {};
    if (data === undefined) return [];
    return [[name, sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))] as const];
  });
  return {
    program: `retouch ${build}`,
    checkpoint: { name: tools.modelName, digest: await tools.checkpoint() },
    graph: await tools.graph(),
    weights: tools.weights,
    arithmetic,
    runtime,
    device,
    processor,
    tiles: tiles === "undefined" ? "none" : tiles,
    ...(tools.referenceCache !== undefined && { referenceCache: tools.referenceCache }),
    loras: resolved.loras.map(({ name, scale }, index) => ({ name, scale, sha256: digests[index]! })),
    inputs: imagesOf(request).map(digestOf),
    ...(request.mask !== undefined && { mask: digestOf(request.mask) }),
    ...(tensors.length > 0 && { tensors: Object.fromEntries(tensors) }),
    parameters: receiptParameters(resolved),
    ...(reuse !== undefined && { reuse: reuse as unknown as Json }),
  };
}

/** With what an edit was asked for: a size of `auto` stands as that. */
function receiptParameters(resolved: ResolvedRequest): Record<string, Json> {
  const texts = RECEIPT_TEXTS.flatMap((name) =>
    resolved[name] ? [[name, textDigest(resolved[name]) as unknown as Json] as const] : [],
  );
  const others = RECEIPT_PARAMETERS.flatMap((name) =>
    resolved[name] === undefined ? [] : [[name, resolved[name] as Json] as const],
  );
  return { ...Object.fromEntries(texts), ...Object.fromEntries(others) };
}

/** @param noise SHA-256 of what the image began with */
export const factsOfImage = (
  common: CommonFacts,
  { seed, place, noise }: Pick<Draw, "seed" | "place"> & { noise: string | undefined },
): ReceiptFacts => ({
  ...common,
  seed,
  noise: {
    generator: GENERATOR,
    ...(noise !== undefined && { sha256: noise }),
    ...(place !== undefined && place.of > 1 && { batch: { ...place } }),
  },
});
