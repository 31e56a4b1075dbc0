/** Headers of replies other than images and pages: no cache stores them, no browser guesses their type. */
import type { FastifyInstance } from "fastify";

/** Names and values, also used for what is written without Fastify. */
export const ANSWER_HEADERS = { "x-content-type-options": "nosniff", "cache-control": "no-store" } as const;

const TYPES = /^(?:application\/json|text\/plain)\b/;

/** Sent with all JSON, failures included, and with plain text. */
export function addAnswerHeaders(app: FastifyInstance): void {
  app.addHook("onSend", async (_request, reply) => {
    // An image that could not be sent may have set its own already.
    if (TYPES.test(String(reply.getHeader("content-type"))))
      reply.removeHeader("etag").headers(ANSWER_HEADERS);
  });
}
