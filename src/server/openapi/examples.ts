/** Requests and answers as examples of the OpenAPI document; a test sends each request and checks each answer. */
import type { ExampleContext, OperationExamples } from "./operation-examples.ts";
import { OPERATOR_EXAMPLES } from "./operator-examples.ts";
import { providerExamples } from "./provider-examples.ts";
import { KEY_ID, PUBLIC_KEY, RECEIPT } from "./receipt-example.ts";

const JOB_ID = "sync-6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1";
const RESULT = "5f0c2a1b9d3e4f67.png?expires=1796169600&signature=0kq1mXl2Zb3cYd4eWf5gVh6i";
const COMPLETED_EVENT =
  'event: image_edit.completed\ndata: {"type":"image_edit.completed","b64_json":"iVBORw0KGgoAAAANSUhEUgAA..."}\n\n';
const SUBMITTED_AT = "2026-11-30T09:15:00.000Z";
const ENDED_AT = "2026-11-30T09:15:01.130Z";

/**
 * @param method in lower case; those of one route may have examples of their own
 * @param route without `/v2` and the endpoint's name, such as `/run` or `/v1/models`
 * @returns nothing for a route without examples
 */
export function examplesOf(method: string, route: string, context: ExampleContext): OperationExamples {
  const table = tableOf(context);
  return table[`${method} ${route}`] ?? table[route] ?? {};
}

function tableOf({ server, endpointId }: ExampleContext): Readonly<Record<string, OperationExamples>> {
  const image = `${server}/examples/bluebird.png`;
  const imageUrl = `${server}/files/${RESULT}`;
  const input = { prompt: "Make it night", image, size: "1024*1024", seed: 8 };
  const idPath = { id: JOB_ID };
  const completed = {
    id: JOB_ID,
    status: "COMPLETED",
    delayTime: 9,
    executionTime: 1121,
    workerId: "oqk7ao1uomckye",
    output: {
      image_url: imageUrl,
      result: imageUrl,
      cost: 0.031457,
      seed: 8,
      size: "1024*1024",
      working_size: "128*128",
      reference_size: "128*128",
      num_inference_steps: 28,
      guidance: 2,
      output_format: "png",
      model: "tiny",
      precision: "float32",
      safety_score: 0.004,
    },
  };
  const page = { offset: "0", limit: "50" };
  const model = { id: endpointId, object: "model", created: 1750896000, owned_by: "retouch" };
  return {
    "/run": {
      body: { input },
      parameters: { "idempotency-key": "order-1842" },
      answer: { id: "6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1", status: "IN_QUEUE" },
    },
    "/runsync": {
      body: { input },
      parameters: { wait: "90000", "idempotency-key": "order-1842" },
      answer: completed,
    },
    "/status/{id}": { parameters: { ...idPath, ttl: "3600000" }, answer: completed },
    "/status-sync/{id}": { parameters: { ...idPath, wait: "90000" }, answer: completed },
    "/stream/{id}": {
      parameters: { ...idPath, wait: "10000" },
      answer: {
        id: JOB_ID,
        status: "IN_PROGRESS",
        delayTime: 9,
        stream: [{ output: { progress: "14/28" } }],
      },
    },
    "/cancel/{id}": {
      parameters: idPath,
      answer: { id: JOB_ID, status: "CANCELLED", delayTime: 9 },
    },
    "/retry/{id}": { parameters: idPath, answer: { id: JOB_ID, status: "IN_QUEUE" } },
    "/purge-queue": { answer: { removed: 2, status: "completed" } },
    "/health": {
      answer: {
        jobs: { completed: 128, failed: 1, inProgress: 1, inQueue: 0, retried: 0 },
        workers: { idle: 0, initializing: 0, ready: 1, running: 1, throttled: 0, unhealthy: 0 },
      },
    },
    "/requests": {
      parameters: page,
      answer: {
        requests: [
          {
            id: JOB_ID,
            status: "COMPLETED",
            output: completed.output,
            startedAt: SUBMITTED_AT,
            completedAt: ENDED_AT,
          },
        ],
        total: 1,
        offset: 0,
        limit: 50,
        hasMore: false,
      },
    },
    "/usage": {
      parameters: { from: "2026-11-01", to: "2026-11-30" },
      answer: {
        from: "2026-11-01",
        to: "2026-11-30",
        days: [{ date: "2026-11-30", completed: 2, failed: 1, cost: 0.062914 }],
        total: { completed: 2, failed: 1, cost: 0.062914 },
        price: { amount: 0.03, per: "megapixel", is_set: true },
      },
    },
    "/loras": { answer: { loras: ["ink", "snow"] } },
    "/queue/{id}": {
      parameters: idPath,
      answer: { status: "IN_QUEUE", jobs_ahead: 3, wait_ms: 4200 },
    },
    "/estimate": {
      parameters: { size: "1024*1024", image_size: "1200*900", guidance: "2", negative: "false" },
      answer: { fixed_ms: 190, step_ms: 13.4 },
    },
    "/picture": { body: { image } },
    "/receipt/{id}": { parameters: { ...idPath, image: "0" }, answer: RECEIPT },
    "/.well-known/retouch-receipts.json": {
      answer: {
        keys: [{ kty: "OKP", crv: "Ed25519", x: PUBLIC_KEY, kid: KEY_ID, alg: "EdDSA", use: "sig" }],
      },
    },
    "/webhook-deliveries": {
      parameters: page,
      answer: {
        deliveries: [
          {
            jobId: JOB_ID,
            url: "https://app.example.com/hooks/retouch",
            status: "delivered",
            attempts: 1,
            createdAt: SUBMITTED_AT,
            lastAttemptAt: ENDED_AT,
            lastStatus: 200,
          },
        ],
        offset: 0,
        limit: 50,
      },
    },
    "/v1/images/edits": {
      body: { prompt: "Make it night", images: [{ image_url: image }], size: "1024x1024" },
      form: { prompt: "Make it night", size: "1024x1024" },
      parameters: { wait: "90000", "idempotency-key": "order-1842" },
      answer: {
        created: 1796030101,
        data: [{ b64_json: "iVBORw0KGgoAAAANSUhEUgAA...", id: JOB_ID, seed: 3141592653, cost: 0.031457 }],
        background: "opaque",
        output_format: "png",
        size: "1024x1024",
        num_inference_steps: 28,
        guidance: 2,
      },
      events: COMPLETED_EVENT,
    },
    "/v1/models": { answer: { object: "list", data: [model] } },
    "/v1/models/{model}": { parameters: { model: endpointId }, answer: model },
    "/files/{name}": {
      parameters: {
        name: "5f0c2a1b9d3e4f67.png",
        expires: "1796169600",
        signature: "0kq1mXl2Zb3cYd4eWf5gVh6i",
      },
    },
    "/examples/{name}": { parameters: { name: "bluebird.png" } },
    ...providerExamples({ server, endpointId }),
    ...OPERATOR_EXAMPLES,
    "/healthz": { answer: { status: "ok" } },
    "/readyz": { answer: { status: "ready" } },
    "/metrics": { answer: 'retouch_jobs{status="queued"} 0\n' },
  };
}
