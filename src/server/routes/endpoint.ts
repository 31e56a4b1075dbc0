/** The routes of the endpoint as a whole: /purge-queue, /health, /requests, and our own /usage, /loras, /estimate and /webhook-deliveries. */
import type { Static, TSchema } from "typebox";
import { estimateMs } from "../../engine/estimate.ts";
import { dayInQuery, optionalNumber, pageOf, sizeInQuery } from "../queries.ts";
import {
  defined,
  DeliveriesReply,
  EstimateReply,
  FAILURES,
  HealthReply,
  LorasReply,
  PurgeReply,
  RequestsReply,
  UsageReply,
} from "../replies.ts";
import { EstimateQuery, PageQuery, UsageQuery } from "../schemas.ts";
import { outputOf, stateOf, toWireDelivery } from "../wire.ts";
import type { RouteContext, TypedApp } from "./context.ts";

const USAGE_DAYS = 30;
const BODY_LIMIT = 64 * 1024;

export function addEndpointRoutes(app: TypedApp, context: RouteContext): void {
  const { jobs, addressOf, embedded, config } = context;

  app.post(
    "/purge-queue",
    {
      ...context.limits("purge"),
      bodyLimit: BODY_LIMIT,
      schema: {
        summary: "Cancel all queued jobs",
        response: { 200: PurgeReply, ...FAILURES },
      },
    },
    async ({ keyId }) => ({ removed: await jobs.purge(keyId), status: "completed" as const }),
  );

  app.get(
    "/health",
    {
      ...context.limits("read"),
      schema: {
        summary: "Count jobs and workers",
        response: { 200: HealthReply, ...FAILURES },
      },
    },
    () => jobs.health(),
  );

  app.get(
    "/requests",
    {
      ...context.limits("requests"),
      schema: {
        summary: "List this key's jobs, newest first",
        ...page(RequestsReply),
      },
    },
    async (request) => {
      const { offset, limit } = pageOf(request.query);
      const { jobs: found, total } = await jobs.list(request.keyId, { offset, limit });
      const requests: Static<typeof RequestsReply>["requests"] = [];
      // One after the other: a page may show a hundred images.
      for (const job of found) {
        requests.push(
          defined({
            id: job.id,
            status: stateOf(job),
            output: outputOf(await embedded.ofJob(job), addressOf),
            error: job.error,
            startedAt: job.startedAt?.toISOString(),
            completedAt: job.endedAt?.toISOString(),
          }),
        );
      }
      return { requests, total, offset, limit, hasMore: offset + found.length < total };
    },
  );

  app.get(
    "/usage",
    {
      ...context.limits("read"),
      schema: {
        summary: "Count this key's edits and their cost by day",
        querystring: UsageQuery,
        response: { 200: UsageReply, ...FAILURES },
      },
    },
    async (request) => {
      const { query } = request;
      const range = { from: dayInQuery(query.from, USAGE_DAYS), to: dayInQuery(query.to, 0) };
      const days = await jobs.usage(request.keyId, range);
      const sum = (count: (day: (typeof days)[number]) => number): number =>
        days.reduce((total, day) => total + count(day), 0);
      const cost = Math.round(sum((day) => day.cost) * 1e6) / 1e6;
      return defined({
        ...range,
        is_operator: request.operator && (true as const),
        days,
        total: { completed: sum((day) => day.completed), failed: sum((day) => day.failed), cost },
        price: { ...config.price, is_set: config.isPriceSet },
      });
    },
  );

  app.get(
    "/loras",
    {
      ...context.limits("read"),
      schema: {
        summary: "List the LoRAs that an edit may use",
        response: { 200: LorasReply, ...FAILURES },
      },
    },
    () => ({ loras: Object.keys(config.loras ?? {}) }),
  );

  app.get(
    "/estimate",
    {
      ...context.limits("read"),
      schema: {
        summary: "How long an edit takes",
        querystring: EstimateQuery,
        response: { 200: EstimateReply, ...FAILURES },
      },
    },
    async ({ query }) => {
      const speed = await jobs.speed();
      if (speed === undefined) return {};
      const side = Math.round(Math.sqrt(speed.nativeArea));
      const image = sizeInQuery(query.image_size);
      const msOf = (numSteps: number): number =>
        estimateMs(speed, {
          size: sizeInQuery(query.size) ?? image ?? { width: side, height: side },
          images: image === undefined ? [] : [image],
          numSteps,
          guidance: optionalNumber(query.guidance) ?? 1,
          isNegativeUsed: query.negative === "true",
        });
      return { fixed_ms: msOf(0), step_ms: msOf(1) - msOf(0) };
    },
  );

  app.get(
    "/webhook-deliveries",
    {
      ...context.limits("read"),
      schema: {
        summary: "List this key's webhook deliveries",
        ...page(DeliveriesReply),
      },
    },
    async (request) => {
      const { offset, limit } = pageOf(request.query);
      const found = await jobs.deliveries(request.keyId, { offset, limit });
      return { deliveries: found.map(toWireDelivery), offset, limit };
    },
  );
}

/** The schema of a list that is asked for page by page. */
const page = <Reply extends TSchema>(reply: Reply) => ({
  querystring: PageQuery,
  response: { 200: reply, ...FAILURES },
});
