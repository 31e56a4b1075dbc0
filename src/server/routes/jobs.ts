/** The routes of one job: /status, /status-sync, /stream, /cancel and /retry, and our own /queue. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { TakenChunks } from "../../jobs/contracts.ts";
import type { JobChunk } from "../../jobs/job.ts";
import { numberInQuery, optionalNumber, WAIT_RANGE } from "../queries.ts";
import { defined, ErrorReply, FAILURES, JobReply, PlaceReply, QueuedReply, StreamReply } from "../replies.ts";
import { JobParams, StatusQuery, WaitQuery } from "../schemas.ts";
import { chunkOf, stateOf, toWireJob } from "../wire.ts";
import type { RouteContext, TypedApp } from "./context.ts";
import { whenWritten } from "./long-polls.ts";

const JOB_ID = /^[A-Za-z0-9_-]{1,100}$/;
/** Clients of these send an empty body or `{}`. */
const BODY_LIMIT = 64 * 1024;

export function addJobRoutes(app: TypedApp, context: RouteContext): void {
  const { jobs, config, addressOf, embedded, longPolls } = context;

  /** Both methods: one official client only ever posts. */
  const status = context.limits("status");
  for (const method of ["GET", "POST"] as const) {
    const withBody = method === "POST" ? { bodyLimit: BODY_LIMIT } : {};
    app.route({
      method,
      url: "/status/:id",
      ...status,
      ...withBody,
      schema: {
        summary: "Get a job's state",
        params: JobParams,
        querystring: StatusQuery,
        response: { 200: JobReply, ...FAILURES },
      },
      handler: async (request, reply) => {
        const id = idOf(request);
        const ttl = optionalNumber(request.query.ttl);
        const job = await (ttl === undefined || ttl < 0
          ? jobs.find(id, request.keyId)
          : jobs.shortenRetention(id, request.keyId, ttl));
        return job ? toWireJob(await embedded.ofJob(job), addressOf) : notFound(reply);
      },
    });

    app.route({
      method,
      url: "/status-sync/:id",
      exposeHeadRoute: false,
      ...status,
      ...withBody,
      schema: {
        summary: "Wait for a job to end, and get its state",
        params: JobParams,
        querystring: WaitQuery,
        response: { 200: JobReply, ...FAILURES },
      },
      handler: async (request, reply) => {
        const { wait } = request.query;
        const waitMs = numberInQuery(wait, { ...WAIT_RANGE, default: config.syncWaitMs });
        const job = await jobs.waitForEnd(idOf(request), request.keyId, {
          waitMs,
          signal: longPolls.signalOf(reply),
        });
        return job ? toWireJob(await embedded.ofJob(job), addressOf) : notFound(reply);
      },
    });

    app.route({
      method,
      url: "/stream/:id",
      // HEAD would take chunks out and show none.
      exposeHeadRoute: false,
      ...status,
      ...withBody,
      schema: {
        summary: "Get what a job has produced since the last call",
        params: JobParams,
        querystring: WaitQuery,
        response: { 200: StreamReply, ...FAILURES },
      },
      handler: async (request, reply) => {
        const { wait } = request.query;
        const waitMs = numberInQuery(wait, { ...WAIT_RANGE, default: config.streamWaitMs });
        const signal = longPolls.signalOf(reply);
        const taken = await jobs.takeChunks(idOf(request), request.keyId, { waitMs, signal });
        if (taken === undefined) return notFound(reply);
        const { job } = taken;
        const chunks: JobChunk[] = [];
        try {
          for (const chunk of taken.chunks) chunks.push(await embedded.ofChunk(chunk, job));
        } catch (error) {
          await giveBack(context, taken);
          throw error;
        }
        void whenWritten(reply).then((isWritten) => (isWritten ? undefined : giveBack(context, taken)));
        return defined({
          id: job.id,
          status: stateOf(job),
          delayTime: job.delayMs,
          stream: chunks.map((chunk) => chunkOf(chunk, job, addressOf)),
        });
      },
    });
  }

  app.get(
    "/queue/:id",
    {
      ...status,
      schema: {
        summary: "A job's place in the queue",
        params: JobParams,
        response: { 200: PlaceReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const place = await jobs.place(idOf(request), request.keyId);
      if (place === undefined) return notFound(reply);
      return defined({ status: stateOf(place), jobs_ahead: place.numAhead, wait_ms: place.waitMs });
    },
  );

  app.post(
    "/cancel/:id",
    {
      ...context.limits("cancel"),
      bodyLimit: BODY_LIMIT,
      schema: { summary: "Cancel a job", params: JobParams, response: { 200: JobReply, ...FAILURES } },
    },
    async (request, reply) => {
      const job = await jobs.cancel(idOf(request), request.keyId);
      return job ? toWireJob(await embedded.ofJob(job), addressOf) : notFound(reply);
    },
  );

  app.post(
    "/retry/:id",
    {
      ...context.limits("retry"),
      bodyLimit: BODY_LIMIT,
      schema: {
        summary: "Run a failed job again",
        params: JobParams,
        response: { 200: QueuedReply, 409: ErrorReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      await context.freeSpace.admit(0);
      const job = await jobs.retry(idOf(request), request.keyId);
      return job ? { id: job.id, status: stateOf(job) } : notFound(reply);
    },
  );
}

async function giveBack({ log }: RouteContext, taken: TakenChunks): Promise<void> {
  await taken.giveBack().catch((error: unknown) => {
    log.warn({ err: error, jobId: taken.job.id }, "Pieces of a stream that did not arrive were lost.");
  });
}

/** An id that cannot be one of ours counts as unknown. */
export function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  return JOB_ID.test(id) ? id : "";
}

export function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ error: "job not found" });
}
