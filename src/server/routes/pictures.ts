/** POST /picture: an image as browsers can show it, for pages that may not fetch it themselves. Nothing is stored. */
import type { FastifyReply } from "fastify";
import { failure, RetouchError } from "../../errors.ts";
import { acceptedFormat } from "../../images/accepted-format.ts";
import type { AcceptedFormat } from "../../images/format.ts";
import { takeBody } from "../body.ts";
import { refusal } from "../failures.ts";
import { findInputImage, type FoundImage } from "../input-image.ts";
import { originOf } from "../origin.ts";
import { FAILURES, Picture } from "../replies.ts";
import { PictureBody } from "../schemas.ts";
import type { RouteContext, TypedApp } from "./context.ts";

export interface PictureSources {
  /** @throws RetouchError IMAGE_UNREADABLE, IMAGE_TOO_LARGE, ABORTED */
  download(url: string, signal: AbortSignal): Promise<Uint8Array>;
  /** Makes a PNG file of an image, or nothing where too many others wait. @default this server decodes nothing */
  convert?: ((bytes: Uint8Array) => Promise<Uint8Array | undefined>) | undefined;
}

/** What browsers show as it is; of the accepted formats, only TIFF is missing. */
const SHOWN: Partial<Record<AcceptedFormat, string>> = {
  JPEG: "image/jpeg",
  PNG: "image/png",
  WebP: "image/webp",
  AVIF: "image/avif",
  GIF: "image/gif",
};

export function addPictureRoutes(app: TypedApp, context: RouteContext, sources: PictureSources): void {
  const { config, signedUrls, examples, isRefusedAddress, longPolls } = context;
  const options = { signedUrls, examples, isRefusedAddress, maxBytes: config.imageMaxBytes };

  app.post(
    "/picture",
    {
      ...context.limits("runsync"),
      bodyLimit: config.runsyncMaxBytes,
      schema: {
        summary: "An image as browsers can show it",
        body: PictureBody,
        response: {
          200: Picture,
          ...FAILURES,
          415: { ...FAILURES[400], description: "An image in a format that is not accepted." },
        },
      },
    },
    async (request, reply) => {
      const origin = originOf(request);
      const origins = config.publicUrl === undefined ? [origin] : [config.publicUrl, origin];
      const found = await takeBody(request, (body) =>
        findInputImage(options, (body as { image: string }).image, origins),
      );
      const bytes = await bytesOf(found, reply);
      const type = SHOWN[acceptedFormat(bytes, undefined)];
      if (type !== undefined) return send(reply, bytes, type);
      if (sources.convert === undefined) throw unconverted();
      const converted = await sources.convert(bytes);
      if (converted === undefined)
        throw refusal(503, "Too many images are being converted; try again later.");
      return send(reply, converted, "image/png");
    },
  );

  async function bytesOf(found: FoundImage, reply: FastifyReply): Promise<Uint8Array> {
    if (found.kind === "bytes") return found.bytes;
    // For as long as the caller waits.
    if (found.kind === "url") return sources.download(found.url, longPolls.signalOf(reply));
    const stored = await context.storage.get(found.key);
    if (stored) return stored.bytes;
    throw new RetouchError(
      "IMAGE_UNREADABLE",
      failure("imageUnreadable", { reason: "it is no longer kept" }),
    );
  }
}

const unconverted = (): RetouchError =>
  new RetouchError(
    "IMAGE_UNSUPPORTED",
    failure("imageFormat", {
      state: "is a TIFF file",
      advice: "this server shows those of other formats only",
    }),
  );

/** Browsers must not guess another type, and nobody else is to have it. */
const send = (reply: FastifyReply, bytes: Uint8Array, type: string): FastifyReply =>
  reply
    .headers({
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
    })
    .type(type)
    .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
