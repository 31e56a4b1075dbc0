/** What an edit returns. */
import type { OutputFormat } from "../images/output-format.ts";
import type { Kept } from "../preserve/compose.ts";
import type { SafetyVerdict } from "../safety/verdict.ts";
import type { Receipt } from "../receipts/receipt.ts";
import type { ReuseTally } from "../sampling/sampler.ts";
import type { AccelerationReport } from "./acceleration.ts";
import type { FloatTensor } from "./given-tensors.ts";
import type { EditTokens } from "./model.ts";
import type { ResolvedRequest, Size } from "./request.ts";
import type { PartSeconds } from "./stopwatch.ts";

/** Every parameter that was in effect. */
export interface EditParameters extends Omit<ResolvedRequest, "size" | "negativePrompt" | "trueCfgScale"> {
  size: Size;
  /** Empty if there was no second pass. */
  negativePrompt: string;
  /** 1 if there was no second pass. */
  trueCfgScale: number;
}

/** What `edit()` returns. */
export interface EditResult extends EditReport {
  /** The encoded image, with the parameters in its XMP metadata; the first one if there are several. */
  image: Uint8Array;
  /** Every image, in the order of the draw. */
  images: readonly Uint8Array[];
  /** The same with what belongs to each. */
  results: readonly ImageResult[];
  format: OutputFormat;
  /** Whether the source's transparency was kept. @default false */
  hasTransparency?: boolean | undefined;
  width: number;
  height: number;
  /** What is kept of the source, if requested; absent if the result has a different shape. */
  kept?: Kept | undefined;
}

/** One image of a result. */
export interface ImageResult {
  image: Uint8Array;
  seed: number;
  kept?: Kept | undefined;
  safety?: SafetyVerdict | undefined;
  /** What of its steps was reused; absent if every step was computed by rule. */
  reuse?: ReuseTally | undefined;
  /** By what it was made, of what, and which pixels came of it. The file holds the same, but for its own digest. */
  receipt?: Receipt | undefined;
}

/** What `editToLatents()` returns: the latents in place of an image. */
export interface LatentsResult extends EditReport {
  /** The last packed latents, [n, L, C] for n images, as `output_type="latent"` gives them. */
  latents: FloatTensor;
}

/** What a result is reported with. */
export interface EditReport {
  parameters: EditParameters;
  /** Size at which the network generated the result, before it was enlarged to `width` x `height`. */
  workingSize: Size;
  /** Size at which the network saw the first image; absent if there was none. */
  referenceSize?: Size | undefined;
  /** The same of every image. */
  referenceSizes: readonly Size[];
  /** What the network read and drew; absent of a model without such tokens. */
  tokens?: EditTokens | undefined;
  /** Sentences that the user should see, such as that the prompt was cut. */
  notices: string[];
  /**
   * If the result was checked: its score, 0 to 1, and the score from which it would have been refused; of several images
   * the highest score.
   */
  safety?: SafetyVerdict | undefined;
  /** What was reused of the steps; absent with `acceleration: off`. */
  acceleration?: AccelerationReport | undefined;
  /** What the networks computed in, as calibrations name it, such as `fp32 with int8 products`. */
  arithmetic: string;
  /** How many edits like this one are worth running together, as far as that was measured; absent of an edit without a group. */
  worthTogether?: number | undefined;
  /** Steps of all images taken by an interrupted run that this one went on from; absent if it began from noise. */
  resumedFrom?: number | undefined;
  /** Durations; `total` is from the encoded source to the encoded result, and `parts` is what it is made of. */
  seconds: { total: number; denoise: number; parts: PartSeconds };
}
