/**
 * Operators make and revoke the keys of clients. Keys of operators are made on the machine of the service alone, so that
 * a stolen one cannot make itself a successor.
 */
import type { Log } from "../../log.ts";
import type { Keys } from "../../keys/contracts.ts";
import { defined, ErrorReply } from "../replies.ts";
import type { TypedApp, RouteContext } from "../routes/context.ts";
import { CreatedKeyReply, FAILURES, KeyParams, NewKeyBody, RevokedKeyReply } from "./schemas.ts";

const BODY_LIMIT = 4096;

export function addKeyRoutes(
  app: TypedApp,
  keys: Pick<Keys, "create" | "list" | "revoke">,
  { limits, log }: { limits: RouteContext["limits"]; log: Log },
): void {
  const limited = limits("read");

  app.post(
    "/keys",
    {
      ...limited,
      bodyLimit: BODY_LIMIT,
      schema: {
        summary: "Make a client's key",
        body: NewKeyBody,
        response: { 201: CreatedKeyReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const { name, safetyThreshold } = request.body;
      const { key, webhookSecret, record } = await keys.create(name, { safetyThreshold });
      log.info({ keyId: request.keyId, madeKeyId: record.id }, "A key was made.");
      return reply
        .code(201)
        .header("cache-control", "no-store")
        .send(
          defined({
            id: record.id,
            name: record.name,
            prefix: record.prefix,
            safetyThreshold: record.safetyThreshold,
            key,
            webhookSecret,
          }),
        );
    },
  );

  app.post(
    "/keys/:id/revoke",
    {
      ...limited,
      bodyLimit: BODY_LIMIT,
      schema: {
        summary: "Revoke a key, at once and for good",
        params: KeyParams,
        response: { 200: RevokedKeyReply, 409: ErrorReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      // Whoever revokes the last operator's key by mistake could not see it here any more.
      if (id === request.keyId) return reply.code(409).send({ error: "A key cannot revoke itself." });
      const isKnown = /^key_[0-9a-f]{1,32}$/.test(id);
      if (!isKnown || !(await keys.revoke(id))) {
        return reply.code(404).send({ error: "There is no such key, or it is revoked already." });
      }
      log.info({ keyId: request.keyId, revokedKeyId: id }, "A key was revoked.");
      return { id, revoked: true as const };
    },
  );
}
