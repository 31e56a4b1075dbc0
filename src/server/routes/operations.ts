/** For the operator: /healthz, /readyz and /metrics. They reveal no owners of jobs, so they need no key. */
import type { Metrics } from "../metrics.ts";
import { KEYLESS_FAILURES, PlainText, StatusReply } from "../replies.ts";
import type { TypedApp } from "./context.ts";

export interface OperationOptions {
  metrics: Metrics;
  /** Why edits cannot be done now. */
  notReady: () => Promise<NotReady | undefined>;
}

/** What is missing; the log says why. */
export type NotReady = "worker" | "engine" | "storage" | "database" | "stopping";

/** Anybody may read these, so they do not reveal the reason. */
const SENTENCES: Readonly<Record<NotReady, string>> = {
  worker: "No worker is ready yet.",
  engine: "The engine cannot be loaded; the log says why.",
  storage: "The storage of images does not work; the log says why.",
  database: "The database does not answer.",
  stopping: "This server is stopping.",
};

const RETRY_SECONDS = 1;

export function addOperationRoutes(app: TypedApp, { metrics, notReady }: OperationOptions): void {
  app.get(
    "/healthz",
    {
      schema: {
        summary: "Check that the process is alive",
        response: { 200: StatusReply, ...KEYLESS_FAILURES },
      },
    },
    () => ({ status: "ok" }),
  );
  app.get(
    "/readyz",
    {
      schema: { summary: "Check that edits can run", response: { 200: StatusReply, ...KEYLESS_FAILURES } },
    },
    async (_, reply) => {
      const reason = await notReady();
      if (reason === undefined) return { status: "ready" };
      return reply.code(503).header("retry-after", RETRY_SECONDS).send({ error: SENTENCES[reason] });
    },
  );
  app.get(
    "/metrics",
    { schema: { summary: "Get metrics for Prometheus", response: { 200: PlainText, ...KEYLESS_FAILURES } } },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}
