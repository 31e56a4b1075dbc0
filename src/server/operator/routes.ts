/** The routes for operators: what concerns all keys, and the decisions about held results. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Operations } from "../../jobs/operations.ts";
import type { HeldJob, Reviews, Verdict } from "../../jobs/reviews.ts";
import { MAX_REASON } from "../../jobs/reviews.ts";
import { invalid } from "../../errors.ts";
import type { Keys } from "../../keys/contracts.ts";
import { addKeyRoutes } from "./key-routes.ts";
import { pageOf } from "../queries.ts";
import { defined, ErrorReply, Picture } from "../replies.ts";
import type { TypedApp, RouteContext } from "../routes/context.ts";
import { JobParams, PageQuery } from "../schemas.ts";
import { toWireDelivery, WIRE_STATES } from "../wire.ts";
import {
  CourseReply,
  DecisionBody,
  DecisionReply,
  DiskReply,
  FAILURES,
  KeysReply,
  LogQuery,
  LogReply,
  PicturePlace,
  QueueReply,
  ReviewsReply,
  WorkersReply,
} from "./schemas.ts";

/** Room on the disk of the data folder, bytes. */
export interface Disk {
  freeBytes: number;
  totalBytes: number;
  /** What the settings keep free. */
  keptFreeBytes: number;
}

export interface OperatorDependencies {
  operations: Operations;
  reviews: Reviews;
  keys: Pick<Keys, "list" | "create" | "revoke">;
  /** @returns nothing where neither database nor pictures lie on it */
  disk: () => Promise<Disk | undefined>;
}

type Context = Pick<RouteContext, "limits" | "storage" | "log" | "config">;

const BODY_LIMIT = 64 * 1024;
const MAX_ID_LENGTH = 200;
/** Nobody may keep what may be refused. */
const HELD_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
};

/** @param endpointIds ids in addresses, by the names of the database */
export function addOperatorRoutes(
  app: TypedApp,
  { operations, reviews, keys, disk }: OperatorDependencies,
  { limits, storage, log, config }: Context,
  endpointIds: ReadonlyMap<string, string>,
): void {
  const idOf = (name: string): string => endpointIds.get(name) ?? name;
  const read = limits("read");

  app.get(
    "/keys",
    { ...read, schema: { summary: "All API keys", response: { 200: KeysReply, ...FAILURES } } },
    async () => {
      const [records, used] = await Promise.all([keys.list(), operations.used()]);
      return {
        keys: records.map(({ createdAt, revokedAt, lastUsedAt, ...record }) => {
          const { bytes, ...edits } = used.get(record.id) ?? { bytes: 0, completed: 0, failed: 0, cost: 0 };
          return defined({
            ...record,
            createdAt: createdAt.toISOString(),
            revokedAt: revokedAt?.toISOString(),
            lastUsedAt: lastUsedAt?.toISOString(),
            storedBytes: bytes,
            ...edits,
          });
        }),
        limits: {
          storedBytes: config.keyQuotaBytes,
          maxQueued: config.maxQueued,
          windowSeconds: config.rateWindowMs / 1000,
          runCalls: config.runRate,
          runsyncCalls: config.runsyncRate,
          statusCalls: config.statusRate,
        },
      };
    },
  );

  addKeyRoutes(app, keys, { limits, log });

  app.get(
    "/queue",
    { ...read, schema: { summary: "Waiting jobs by key", response: { 200: QueueReply, ...FAILURES } } },
    async () => ({
      keys: (await operations.queues()).map((one) =>
        defined({ ...one, endpoint: idOf(one.endpoint), oldestAt: one.oldestAt?.toISOString() }),
      ),
    }),
  );

  app.get(
    "/workers",
    { ...read, schema: { summary: "Workers and devices", response: { 200: WorkersReply, ...FAILURES } } },
    async () => ({
      workers: (await operations.workers()).map(({ endpoints, seenAt, ...worker }) =>
        defined({
          ...worker,
          seenAt: seenAt.toISOString(),
          endpoints: Object.entries(endpoints).map(([name, { speed, model, device, isFaulty }]) =>
            defined({
              endpoint: idOf(name),
              model,
              device,
              stepMs: speed?.stepMs,
              isFaulty: isFaulty ? (true as const) : undefined,
            }),
          ),
        }),
      ),
    }),
  );

  app.get(
    "/disk",
    { ...read, schema: { summary: "What is stored", response: { 200: DiskReply, ...FAILURES } } },
    async () => {
      const [own, databaseBytes, kinds] = await Promise.all([
        disk(),
        operations.databaseBytes(),
        operations.stored(),
      ]);
      return defined({ disk: own, databaseBytes, kinds });
    },
  );

  app.get(
    "/jobs/:id",
    {
      ...read,
      schema: {
        summary: "The course of any key's job",
        params: JobParams,
        response: { 200: CourseReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const found = await operations.course(jobIdOf(request));
      if (found === undefined) return reply.code(404).send({ error: "job not found" });
      return defined({
        ...found,
        endpoint: idOf(found.endpoint),
        status: WIRE_STATES[found.status],
        isHeld: found.status === "held" ? (true as const) : undefined,
        course: [...found.course],
        deliveries: found.deliveries.map(toWireDelivery),
      });
    },
  );

  app.get(
    "/reviews",
    {
      ...read,
      schema: {
        summary: "Results that wait for a decision, the oldest first",
        querystring: PageQuery,
        response: { 200: ReviewsReply, ...FAILURES },
      },
    },
    async (request) => {
      const page = pageOf(request.query);
      const { held, total } = await reviews.list(page);
      return { reviews: held.map((one) => toWireHeld(one, idOf)), total, ...page };
    },
  );

  app.get(
    "/reviews/:id/pictures/:place",
    {
      ...read,
      schema: {
        summary: "A held picture",
        params: PicturePlace,
        response: { 200: Picture, ...FAILURES },
      },
    },
    async (request, reply) => {
      const held = await reviews.find(jobIdOf(request));
      const { place } = request.params;
      const picture = /^\d{1,3}$/.test(place) ? held?.pictures[Number(place)] : undefined;
      const found = picture && (await storage.get(picture.key));
      if (found === undefined) return reply.code(404).send({ error: "picture not found" });
      const { bytes, contentType } = found;
      return reply
        .headers(HELD_HEADERS)
        .type(contentType)
        .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    },
  );

  for (const [name, verdict, summary] of [
    ["approve", "approved", "Release a held result"],
    ["reject", "rejected", "Refuse a held result"],
  ] as const satisfies readonly (readonly [string, Verdict, string])[]) {
    app.post(
      `/reviews/:id/${name}`,
      {
        ...read,
        bodyLimit: BODY_LIMIT,
        // A body may be left out.
        validatorCompiler: () => (value: unknown) => ({ value }),
        schema: {
          summary,
          params: JobParams,
          body: DecisionBody,
          response: { 200: DecisionReply, 409: ErrorReply, ...FAILURES },
        },
      },
      async (request, reply) => {
        const jobId = jobIdOf(request);
        const reason = reasonOf(request.body);
        const actor = request.operator!;
        const job = await reviews.decide(jobId, { verdict, actor, reason });
        if (job === undefined) return nothingHeld(reply);
        log.info({ jobId, keyId: actor.keyId, verdict }, "A held result was decided on.");
        return { jobId, verdict };
      },
    );
  }

  app.get(
    "/review-log",
    {
      ...read,
      schema: {
        summary: "Who decided what, newest first",
        querystring: LogQuery,
        response: { 200: LogReply, ...FAILURES },
      },
    },
    async (request) => {
      const page = pageOf(request.query);
      const { job: jobId } = request.query;
      const entries = await reviews.log({ jobId: jobId === undefined ? undefined : idIn(jobId), ...page });
      return {
        entries: entries.map(({ at, actor, ...entry }) =>
          defined({ ...entry, at: at.toISOString(), actor: defined(actor) }),
        ),
        ...page,
      };
    },
  );
}

const toWireHeld = ({ pictures, ...held }: HeldJob, idOf: (name: string) => string) =>
  defined({
    ...held,
    endpoint: idOf(held.endpoint),
    heldAt: held.heldAt.toISOString(),
    until: held.until.toISOString(),
    safety: { ...held.safety, scores: [...held.safety.scores] },
    pictures: pictures.map(({ bytes }) => ({ bytes })),
  });

/** An id that cannot be one of ours counts as unknown; no database stores U+0000. */
const idIn = (id: unknown): string =>
  typeof id === "string" && id.length <= MAX_ID_LENGTH && !id.includes("\0") ? id : "";

const jobIdOf = ({ params }: FastifyRequest): string => idIn((params as { id: unknown }).id);

/** @throws RetouchError INVALID_PARAMETER */
function reasonOf(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined;
  const { reason } = body as { reason?: unknown };
  if (reason === undefined || reason === "") return undefined;
  if (typeof reason === "string" && reason.length <= MAX_REASON && !reason.includes("\0")) return reason;
  throw invalid("type", { field: "reason", wanted: `a text of at most ${MAX_REASON} characters` });
}

const nothingHeld = (reply: FastifyReply): FastifyReply =>
  reply.code(404).send({ error: "No result of such a job waits for a decision." });
