/** Which files are taken for images, by their first bytes. */
import { failure, RetouchError } from "../errors.ts";
import { ACCEPTED_FORMATS, type AcceptedFormat, formatOf } from "./format.ts";
import type { RefusedForm } from "./picture-form.ts";

/** @throws RetouchError IMAGE_INVALID or IMAGE_UNSUPPORTED */
export function acceptedFormat(bytes: Uint8Array, source: string | undefined): AcceptedFormat {
  if (bytes.length === 0) throw new RetouchError("IMAGE_INVALID", failure("imageEmpty", { source }));
  const format = formatOf(bytes);
  if (format === undefined) {
    throw new RetouchError("IMAGE_INVALID", failure("imageUnknown", { source, accepted: listFormats() }));
  }
  if (!format.isAccepted) {
    const { name, advice } = format;
    throw unsupported(source, { state: `is ${name}`, advice });
  }
  return format.name;
}

export function unsupported(source: string | undefined, { state, advice }: RefusedForm): RetouchError {
  return new RetouchError("IMAGE_UNSUPPORTED", failure("imageFormat", { source, state, advice }));
}

function listFormats(): string {
  return `${ACCEPTED_FORMATS.slice(0, -1).join(", ")} and ${ACCEPTED_FORMATS.at(-1)}`;
}
