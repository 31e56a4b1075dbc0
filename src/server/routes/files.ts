/**
 * Images: results by their signed URLs, and the shipped examples. No API key is needed: the URL itself grants
 * access.
 */
import { readFile } from "node:fs/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { CheckCaller } from "../auth.ts";
import { ErrorReply, KEYLESS_FAILURES, NotModified, Picture } from "../replies.ts";
import { FileParams, FileQuery } from "../schemas.ts";
import type { RouteContext, TypedApp } from "./context.ts";

/** Browsers must not guess another type than an image's, and pages of any origin may show it. */
const HEADERS = {
  "access-control-allow-origin": "*",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
  "cross-origin-resource-policy": "cross-origin",
};
const FAILURES = { 404: ErrorReply, ...KEYLESS_FAILURES };

/** @param checkCaller asked about callers without a signature */
export function addFileRoutes(
  app: TypedApp,
  { storage, signedUrls }: RouteContext,
  checkCaller: CheckCaller,
): void {
  app.get(
    "/files/:name",
    {
      schema: {
        summary: "Download a result by its `image_url`",
        params: FileParams,
        querystring: FileQuery,
        response: { 200: Picture, 304: NotModified, ...FAILURES, 410: ErrorReply },
      },
    },
    async (request, reply) => {
      const now = new Date();
      const { name } = request.params;
      const verified = signedUrls.verify(name, request.query, now);
      if (verified.state === "invalid") await checkCaller(request);
      void reply.headers(HEADERS);
      if (verified.state === "expired") return reply.code(410).send({ error: "The file has expired." });
      if (verified.state === "invalid") return notFound(reply);
      // A name stands for the same bytes for ever, so it tells whether a cached copy is still valid.
      const tag = `"${name}"`;
      const maxAge = Math.floor((verified.expiresAt.getTime() - now.getTime()) / 1000);
      const isKept = { "cache-control": `private, max-age=${maxAge}, immutable`, etag: tag };
      if (isKnown(request, tag)) return reply.code(304).headers(isKept).send(undefined);
      const found = await storage.get(verified.key);
      if (found === undefined) return notFound(reply);
      // Only now: nobody may keep a failure for as long as the image lives.
      void reply.headers(isKept);
      return sendPicture(reply, found.bytes, found.contentType);
    },
  );
}

export function addExampleRoutes(app: TypedApp, { examples }: RouteContext): void {
  app.get(
    "/examples/:name",
    {
      schema: {
        summary: "Download an example image",
        params: FileParams,
        response: { 200: Picture, ...FAILURES },
      },
    },
    async (request, reply) => {
      void reply.headers(HEADERS);
      const file = examples.get(request.params.name);
      if (file === undefined) return notFound(reply);
      return sendPicture(reply, await readFile(file), "image/png");
    },
  );
}

function isKnown({ headers }: FastifyRequest, tag: string): boolean {
  const known = headers["if-none-match"]?.split(",").map((text) => text.trim().replace(/^W\//, "")) ?? [];
  return known.includes(tag) || known.includes("*");
}

function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ error: "file not found" });
}

function sendPicture(reply: FastifyReply, bytes: Uint8Array, contentType: string): FastifyReply {
  return reply.type(contentType).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
