/** Turns a prediction's input into our edit: the names of Replicate's models are renamed, ours stay. */
import { invalid, type Surface } from "../../errors.ts";
import { WIRE } from "../../engine/edit-parameters.ts";
import { MATCH_INPUT, sizeOfRatio } from "../aspect-ratio.ts";
import { checkedWebhook, type ParsedBody } from "../edit-input.ts";
import { numberedImages, parsedOf } from "../other-apis.ts";
import type { RouteContext } from "../routes/context.ts";
import type { EditInput } from "../schemas.ts";
import { EVENTS, type PredictionBody, type PredictionInput } from "./schemas.ts";

/** Its names, in sentences. */
export const REPLICATE: Surface = {
  ...WIRE,
  names: { ...WIRE.names, image: "input_image", numImages: "num_outputs" },
  image: (source) => (source === undefined ? "input_image" : `input_image: ${source}`),
};

/** Where a prediction was asked for. */
export interface Asked {
  /** OWNER/NAME. */
  model: string;
  /** The names of the input's schema. */
  known: readonly string[];
}

/** Of a string that an answer repeats; pictures are longer, or data URLs. */
const MAX_ECHO_LENGTH = 8192;

/** @throws RetouchError INVALID_PARAMETER about the field */
export function readPrediction(
  { input, webhook, webhook_events_filter: events = [...EVENTS] }: PredictionBody,
  { model, known }: Asked,
  context: RouteContext,
): ParsedBody {
  const images = imagesOf(input);
  const {
    image: _,
    images: __,
    input_images: ___,
    mask,
    aspect_ratio: ratio,
    num_outputs: numOutputs,
    disable_safety_checker: isUnchecked,
    go_fast: ____,
    lora_weights: lora,
    lora_strength: scale,
    ...own
  } = input;
  if (lora && own.loras !== undefined)
    throw invalid("notTogether", { field: "lora_weights", other: "loras" });
  const hasSize = [own.size, own.width, own.height].some((given) => given !== undefined);
  const parsed = parsedOf(
    {
      input: {
        ...(own as Partial<EditInput> & { prompt: string }),
        ...(!hasSize && sizeOf(ratio, images.length > 0, context)),
        ...(numOutputs !== undefined && { num_images: numOutputs }),
        ...(isUnchecked !== undefined && { enable_safety_checker: !isUnchecked }),
        ...(lora && { loras: [{ name: lora, ...(scale !== undefined && { scale }) }] }),
      },
      images,
      mask,
      given: input,
      known,
    },
    context,
  );
  const address = checkedWebhook("webhook", webhook, context.isRefusedAddress);
  const version = context.config.endpointId;
  return {
    ...parsed,
    webhook: events.includes("completed") ? address : undefined,
    call: { api: "replicate", model, version, input: echoOf(input, known) },
  };
}

/** All images, in the order of their fields. Clients that send one under two names mean it once. */
function imagesOf(input: PredictionInput): string[] {
  const { image = [], images = [], input_images: others = [] } = input;
  return [...new Set([...[image].flat(), ...numberedImages(input, "input_image"), ...images, ...others])];
}

function sizeOf(
  ratio: string | undefined,
  hasImage: boolean,
  { config }: RouteContext,
): Pick<EditInput, "size" | "width" | "height"> {
  if (ratio !== undefined && ratio !== MATCH_INPUT) return sizeOfRatio(ratio, config);
  return hasImage ? { size: "auto" } : {};
}

/** The input without pictures of the call itself, and without what has no effect. */
function echoOf(input: PredictionInput, known: readonly string[]): Record<string, unknown> {
  const isShort = (value: unknown): boolean =>
    typeof value === "string" ? value.length <= MAX_ECHO_LENGTH && !/^\s*data:/i.test(value) : true;
  const fields = Object.entries(input).filter(
    ([name, value]) => known.includes(name) && [value].flat().every(isShort) && !isPictureText(name, value),
  );
  return Object.fromEntries(fields);
}

/** Base64 without a mark, which may be short. */
const isPictureText = (name: string, value: unknown): boolean =>
  /^(?:(?:input_)?images?(?:_\d+)?|mask)$/.test(name) &&
  ![value].flat().every((text) => /^https?:/i.test(String(text).trim()));
