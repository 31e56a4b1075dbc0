/** Receipts: that of a job's result, for its owner, and the keys that sign them, for anybody. */
import type { Static } from "typebox";
import type { PublicJwk } from "../../receipts/keys.ts";
import { numberInQuery } from "../queries.ts";
import { KeySet, ReceiptReply } from "../receipt-replies.ts";
import { FAILURES, KEYLESS_FAILURES } from "../replies.ts";
import { JobParams, ReceiptQuery } from "../schemas.ts";
import type { RouteContext, TypedApp } from "./context.ts";
import { idOf, notFound } from "./jobs.ts";

/** Of one of several results. */
const IMAGE = { min: 0, max: 1000, default: 0 };
/** Of RFC 7517, section 8.5.2. */
const JWK_SET = "application/jwk-set+json";
export const KEYS_PATH = "/.well-known/retouch-receipts.json";

export function addReceiptRoutes(app: TypedApp, context: RouteContext): void {
  app.get(
    "/receipt/:id",
    {
      ...context.limits("status"),
      schema: {
        summary: "The receipt of a job's result",
        params: JobParams,
        querystring: ReceiptQuery,
        response: { 200: ReceiptReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const job = await context.jobs.find(idOf(request), request.keyId);
      if (job === undefined) return notFound(reply);
      const results = job.result?.images ?? [job.result];
      const receipt = results[numberInQuery(request.query.image, IMAGE)]?.receipt;
      if (receipt === undefined) return reply.code(404).send({ error: "This job has no such receipt." });
      // As the row has it: nothing of it is undefined.
      return receipt as unknown as Static<typeof ReceiptReply>;
    },
  );
}

export function addReceiptKeyRoutes(app: TypedApp, published: () => Promise<readonly PublicJwk[]>): void {
  app.get(
    KEYS_PATH,
    {
      schema: {
        summary: "The public keys that sign receipts",
        response: {
          200: { description: "A JWK set (RFC 7517).", content: { [JWK_SET]: { schema: KeySet } } },
          ...KEYLESS_FAILURES,
        },
      },
    },
    async (_, reply) => {
      // Pages of any origin may check receipts.
      void reply.headers({ "access-control-allow-origin": "*", "cache-control": "public, max-age=60" });
      return reply.type(JWK_SET).send({ keys: [...(await published())] });
    },
  );
}
