/** GET /openapi.json: the document that describes this server, compressed for clients that take it so. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FastifyInstance } from "fastify";

const compress = promisify(gzip);

/** @param read the document, which stays the same once the server is ready */
export function addDocumentRoute(app: FastifyInstance, read: () => object): void {
  let compressed: Promise<Buffer> | undefined;
  app.get("/openapi.json", { schema: { hide: true } }, async (request, reply) => {
    void reply.header("vary", "accept-encoding");
    if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return read();
    compressed ??= compress(JSON.stringify(read()));
    return reply
      .type("application/json; charset=utf-8")
      .header("content-encoding", "gzip")
      .send(await compressed);
  });
}
