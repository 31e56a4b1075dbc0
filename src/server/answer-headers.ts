/** Headers of answers that are no picture and no page: nobody keeps them, and no browser takes them for anything else. */
import type { FastifyInstance } from "fastify";

/** As names and values, for what is written without Fastify as well. */
export const ANSWER_HEADERS = { "x-content-type-options": "nosniff", "cache-control": "no-store" } as const;

const TYPES = /^(?:application\/json|text\/plain)\b/;

/** Sent with all JSON, failures included, and with plain text. */
export function addAnswerHeaders(app: FastifyInstance): void {
  app.addHook("onSend", async (_request, reply) => {
    // A picture that could not be sent may have named its own already.
    if (TYPES.test(String(reply.getHeader("content-type"))))
      reply.removeHeader("etag").headers(ANSWER_HEADERS);
  });
}
