/** Turns a body in black-forest-labs' terms into our edit: fields are renamed, unsupported ones refused. */
import { invalid, type Surface } from "../../errors.ts";
import { WIRE } from "../../engine/edit-parameters.ts";
import { sizeOfRatio } from "../aspect-ratio.ts";
import { checkedWebhook, type ParsedBody } from "../edit-input.ts";
import { numberedImages, parsedOf } from "../other-apis.ts";
import { defined } from "../replies.ts";
import type { RouteContext } from "../routes/context.ts";
import type { EditBody } from "./schemas.ts";

/** Its names, in sentences. */
export const BFL: Surface = {
  ...WIRE,
  names: { ...WIRE.names, image: "input_image", numSteps: "steps", webhook: "webhook_url" },
  image: (source) => (source === undefined ? "input_image" : `input_image: ${source}`),
};

/** Fields that would change the image in a way that this server does not support. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  image_prompt: "the model edits input_image by its prompt",
  image_prompt_strength: "the model edits input_image by its prompt",
  finetune_id: "this server has no finetunes",
  finetune_strength: "this server has no finetunes",
};
/** Choices that cannot be had. */
const NOT_TRUE: Readonly<Record<"prompt_upsampling" | "raw", string>> = {
  prompt_upsampling: "this server does not rewrite prompts",
  raw: "the model has no such mode",
};

/** @param known the names of the schema @throws RetouchError INVALID_PARAMETER about the field */
export function readEdit(body: EditBody, known: readonly string[], context: RouteContext): ParsedBody {
  for (const [field, reason] of Object.entries(NOT_SUPPORTED)) {
    if ((body as Record<string, unknown>)[field] !== undefined)
      throw invalid("unsupported", { field, reason });
  }
  for (const [field, reason] of Object.entries(NOT_TRUE)) {
    if (body[field as keyof typeof NOT_TRUE] === true)
      throw invalid("forbidden", { field, given: "true", reason });
  }
  const { prompt, seed, steps, guidance, output_format, mask } = body;
  const images = numberedImages(body, "input_image");
  const parsed = parsedOf(
    {
      input: defined({
        prompt,
        seed,
        guidance,
        num_inference_steps: steps,
        output_format,
        ...sizeOf(body, images.length > 0, context),
      }),
      images,
      mask,
      given: body,
      known,
    },
    context,
  );
  const webhook = checkedWebhook("webhook_url", body.webhook_url, context.isRefusedAddress);
  const { webhook_secret: webhookSecret } = body;
  return { ...parsed, webhook, call: { api: "bfl", prompt, ...(webhookSecret && { webhookSecret }) } };
}

function sizeOf(
  { width, height, aspect_ratio: ratio }: EditBody,
  hasImage: boolean,
  { config }: RouteContext,
): { size?: string; width?: number | undefined; height?: number | undefined } {
  // Clients that know sizes send the ratio beside them.
  if (width !== undefined || height !== undefined) return { width, height };
  if (ratio !== undefined) return sizeOfRatio(ratio, config);
  return hasImage ? { size: "auto" } : {};
}
