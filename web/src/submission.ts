/** An edit as it is sent, and as the history keeps it. */
import type { EditInput } from "./api.ts";
import type { EditRecord } from "./history-store.ts";
import type { Parameters } from "./parameters.ts";
import { dataUrlOf } from "./picture-file.ts";
import { randomId } from "./random-id.ts";
import { imageField, imagesOfRecord } from "./record-images.ts";
import type { Size } from "./size-field.ts";
import type { SourcePicture } from "./source-picture.ts";

export interface SubmissionParts {
  prompt: string;
  values: Parameters;
  /** Small enough to be sent; the first is edited. */
  pictures: readonly SourcePicture[];
  /** The mask in the size of the image that is edited, if there is one. */
  maskOf: (size: Size) => Promise<Blob | undefined>;
  /** An edit of the history. */
  parentOf: (id: string) => Promise<EditRecord | undefined>;
  wantsPreview: boolean;
  /** `/v2/NAME`. */
  endpoint: string;
}

export interface Submission {
  input: EditInput;
  record: Omit<EditRecord, "jobId">;
}

/** @throws for an image or a mask that this browser cannot read */
export async function prepareSubmission(parts: SubmissionParts): Promise<Submission> {
  const { prompt, pictures, endpoint } = parts;
  const [first] = pictures;
  const images = await Promise.all(pictures.map(dataUrlOf));
  const mask = first && (await parts.maskOf(first));
  const { image_layout: layout, ...others } = parts.values;
  // With a mask, the second image shows what is to be drawn inside.
  const isLaidOut = layout !== undefined && pictures.length > 1 && mask === undefined;
  const values = isLaidOut ? { ...others, image_layout: layout } : others;
  const parent = first?.editId === undefined ? undefined : await parts.parentOf(first.editId);
  return {
    input: {
      prompt,
      ...imageField(images),
      ...(mask && { mask: await dataUrlOf({ bytes: mask }) }),
      ...values,
      enable_preview: parts.wantsPreview,
      ...(values.preserve !== "off" && { enable_mask_output: true }),
    },
    record: {
      id: randomId(),
      endpoint,
      createdAt: Date.now(),
      prompt,
      parameters: values,
      status: "running",
      ...imagesOfRecord(pictures, parent),
      ...(mask && { mask }),
    },
  };
}
