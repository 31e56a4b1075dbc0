/** Prometheus metrics: requests, the queue, the workers, and the process with its event loop delay. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { FastifyInstance } from "fastify";
import type { Jobs } from "../jobs/contracts.ts";
import type { Log } from "../log.ts";

export interface Metrics {
  contentType: string;
  text(): Promise<string>;
}

/** Metrics that are read when requested, by name; those that only grow are counters. */
export type Readings = Readonly<Record<string, { help: string; read: () => number; isGrowing?: boolean }>>;

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 90, 300];

/**
 * Milliseconds between two looks at the event loop's delay, and the least that is found. Looks are what an idle service
 * does most: at the usual 10 they would take half a hundredth of a core.
 */
const LOOP_RESOLUTION_MS = 50;

/** Counts every request of `app`; the queue's metrics are read when requested. */
export function addMetrics(
  app: FastifyInstance,
  endpoints: readonly { id: string; jobs: Pick<Jobs, "health"> }[],
  log: Log,
  readings: Readings,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_RESOLUTION_MS });
  const calls = new Histogram({
    name: "retouch_http_seconds",
    help: "Calls by route and status, with the time that they were held.",
    labelNames: ["method", "route", "status"],
    buckets: SECONDS,
    registers: [registry],
  });
  const jobGauge = new Gauge({
    name: "retouch_jobs",
    help: "Jobs by state; ended ones since the database was made.",
    labelNames: ["endpoint", "state"],
    registers: [registry],
  });
  const workerGauge = new Gauge({
    name: "retouch_workers",
    help: "Workers by status; one that serves several endpoints counts for each.",
    labelNames: ["endpoint", "status"],
    registers: [registry],
  });
  for (const [name, { help, read, isGrowing = false }] of Object.entries(readings)) {
    const collect = (): void => {
      metric.reset();
      metric.inc(read());
    };
    const metric: Counter | Gauge = new (isGrowing ? Counter : Gauge)({
      name,
      help,
      registers: [registry],
      collect,
    });
  }
  app.addHook("onResponse", async (request, reply) => {
    // The route's pattern, not the URL: one series per route, and no job ids.
    const route = request.routeOptions.url?.replace(/^\/v2\/[^/]+/, "/v2/:endpoint") ?? "unknown";
    calls.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });

  async function readQueue(): Promise<void> {
    jobGauge.reset();
    workerGauge.reset();
    for (const { id: endpoint, jobs } of endpoints) {
      const { jobs: counts, workers } = await jobs.health();
      for (const [state, count] of Object.entries(counts)) jobGauge.set({ endpoint, state }, count);
      for (const [status, count] of Object.entries(workers)) workerGauge.set({ endpoint, status }, count);
    }
  }

  return {
    contentType: registry.contentType,
    async text() {
      // While the database is away, the process still has metrics, and the gap in the queue's says the rest.
      await readQueue().catch((error: unknown) => log.warn({ err: error }, "The queue cannot be counted."));
      return registry.metrics();
    },
  };
}
