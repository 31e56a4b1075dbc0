/** What became of a job, as OpenAI's clients read it. */
import type { Static } from "typebox";
import { type FailureRecord, fieldOf, RetouchError } from "../../errors.ts";
import { costOfOne, type Job, type JobResult, type ResultImage } from "../../jobs/job.ts";
import type { RouteContext } from "../routes/context.ts";
import type { AnswerForm } from "./edit-request.ts";
import type { ImagesReply, Usage } from "./schemas.ts";

/** Fields whose faults show when the image is decoded. */
const CALLERS: ReadonlySet<string> = new Set(["image", "mask", "background", "format"]);

export interface BadEnd {
  status: number;
  sentence: string;
  failure?: FailureRecord | undefined;
}

/** Why a job has no result, or none yet. The caller can act on a failure of the image or the result. */
export function endOf({ id, status, error, failure }: Job, endpointId: string): BadEnd {
  if (status === "failed") {
    const isCallers = failure && (failure.code === "OUTPUT_FLAGGED" || CALLERS.has(fieldOf(failure) ?? ""));
    return { status: isCallers ? 400 : 500, sentence: error ?? "The edit failed unexpectedly.", failure };
  }
  if (status === "cancelled") return { status: 409, sentence: `The job ${id} was cancelled.` };
  if (status === "timedOut") return { status: 504, sentence: error ?? "The edit took too long." };
  const sentence = `The edit continues as job ${id}; GET /v2/${endpointId}/status/${id} tells when it ends.`;
  return { status: 504, sentence };
}

export async function imagesReply(
  job: Job,
  { isByAddress }: AnswerForm,
  { addressOf, storage }: RouteContext,
): Promise<Static<typeof ImagesReply>> {
  const result = job.result!;
  const { images = [result] } = result;
  const data = await Promise.all(
    images.map(async (one) => {
      const facts = factsOf(job, one.seed);
      if (isByAddress) return Object.assign({ url: addressOf(keyOf(one.image), job) }, facts);
      return Object.assign({ b64_json: await base64Of(one.image, storage) }, facts);
    }),
  );
  const usage = usageOf(result, images.length);
  return { created: endedAt(job), data, ...formOf(result), ...(usage && { usage }) };
}

/** Of so many of the results. @returns undefined where nothing was counted */
export function usageOf({ tokens }: JobResult, numResults: number): Static<typeof Usage> | undefined {
  if (tokens === undefined) return undefined;
  const { text, images, result } = tokens;
  const [input, output] = [text + images, result * numResults];
  return {
    input_tokens: input,
    input_tokens_details: { text_tokens: text, image_tokens: images },
    output_tokens: output,
    total_tokens: input + output,
  };
}

/** Seconds since 1970. */
export const endedAt = ({ endedAt = new Date() }: Job): number => Math.floor(endedAt.getTime() / 1000);

/** What belongs to one of the results. */
export const factsOf = ({ id, result }: Job, seed: number) => ({ id, seed, cost: costOfOne(result!) });

/** What all results have in common. */
export const formOf = ({ hasTransparency, format, size, numSteps, guidance, notices }: JobResult) => ({
  background: hasTransparency ? ("transparent" as const) : ("opaque" as const),
  output_format: format,
  size: `${size.width}x${size.height}`,
  num_inference_steps: numSteps,
  guidance,
  ...(notices.length > 0 && { notices }),
});

/** The results of these jobs are never in a caller's bucket or a data URL. */
function keyOf(image: ResultImage): string {
  if (image.kind === "stored") return image.key;
  throw new Error(`A result is ${image.kind} where it should be stored.`);
}

export async function base64Of(
  image: ResultImage,
  storage: Pick<RouteContext["storage"], "get">,
): Promise<string> {
  const bytes = (await storage.get(keyOf(image)))?.bytes;
  // Only a repetition under an idempotency key can come this late.
  if (bytes === undefined) throw new RetouchError("IMAGE_UNREADABLE", "The result is no longer there.");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
