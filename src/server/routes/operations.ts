/** For whoever runs the server: /healthz, /readyz and /metrics. They tell nothing about jobs' owners, so they need no key. */
import type { Metrics } from "../metrics.ts";
import { DEFECTS, PlainText, StatusReply } from "../replies.ts";
import type { TypedApp } from "./context.ts";

export interface OperationOptions {
  metrics: Metrics;
  /** Why edits cannot be done now, in one sentence. */
  notReady: () => Promise<string | undefined>;
}

const RETRY_SECONDS = 1;

export function addOperationRoutes(app: TypedApp, { metrics, notReady }: OperationOptions): void {
  app.get(
    "/healthz",
    { schema: { summary: "Whether the process answers", response: { 200: StatusReply } } },
    () => ({ status: "ok" }),
  );
  app.get(
    "/readyz",
    {
      schema: { summary: "Whether edits can be done", response: { 200: StatusReply, 503: DEFECTS[503] } },
    },
    async (_, reply) => {
      const reason = await notReady();
      if (reason === undefined) return { status: "ready" };
      return reply.code(503).header("retry-after", RETRY_SECONDS).send({ error: reason });
    },
  );
  app.get(
    "/metrics",
    { schema: { summary: "Figures for Prometheus", response: { 200: PlainText, 500: DEFECTS[500] } } },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}
