/** The routes, over connections to a real server; what is behind it is in memory. */
import type { AddressInfo } from "node:net";
import { readConfig } from "../../src/config/config.ts";
import { RetouchError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { isRefusedLiterally } from "../../src/net/literal-address.ts";
import { createApp } from "../../src/server/app.ts";
import { createSignedUrls } from "../../src/storage/signed-urls.ts";
import { inRepository } from "../../tools/paths.ts";
import { JOB_BODIES, OPENAI_BODIES, PIXEL } from "../corpus/bodies.ts";
import { checkAnswers, exchange } from "../http/exchange.ts";
import {
  createFakeJobs,
  createFakeKeys,
  createFakeOperator,
  createFakeStorage,
  JOB_IDS,
  KEY,
  RESULT,
} from "../http/fakes.ts";
import {
  bytesOf,
  type Call,
  oddBytes,
  withOddHeaders,
  withOddMethod,
  withOddTarget,
} from "../mutate/call.ts";
import { FORMS, formOf } from "../mutate/form.ts";
import { jsonBytes, nodeOf, write } from "../mutate/json.ts";
import type { Random } from "../random.ts";
import { type Target, target } from "../target.ts";
import { USUAL_TRAITS } from "../../src/server/schemas.ts";

export const ENDPOINT = "/v2/black-forest-labs-flux-1-kontext-dev";
/** More than any rate that would hide a route behind 429. */
const UNLIMITED = 1e9;
const NO_LIMITS = {
  runRate: UNLIMITED,
  runsyncRate: UNLIMITED,
  statusRate: UNLIMITED,
  cancelRate: UNLIMITED,
  purgeRate: UNLIMITED,
  requestsRate: UNLIMITED,
  retryRate: UNLIMITED,
  readRate: UNLIMITED,
  wrongKeyRate: UNLIMITED,
};

const HEAD: readonly [string, string][] = [
  ["Host", "127.0.0.1:8000"],
  ["Authorization", `Bearer ${KEY}`],
  ["Connection", "close"],
];
export const callOf = (
  method: string,
  to: string,
  body?: Buffer,
  headers: readonly [string, string][] = [],
): Call => ({
  method,
  target: to,
  headers: [...HEAD, ...headers].map(([name, value]) => [name, value]),
  body,
});
const json = (value: unknown): Buffer => Buffer.from(write(nodeOf(value)));
const JSON_TYPE: [string, string] = ["Content-Type", "application/json"];

/** One call of every route. */
export const CALLS: readonly Call[] = [
  callOf("POST", `${ENDPOINT}/run`, json(JOB_BODIES[0]), [JSON_TYPE, ["Idempotency-Key", "a-key"]]),
  callOf("POST", `${ENDPOINT}/runsync?wait=1000`, json(JOB_BODIES[1]), [JSON_TYPE]),
  callOf("POST", "/v1/images/edits", json(OPENAI_BODIES[0]), [JSON_TYPE, ["Idempotency-Key", "a-key"]]),
  callOf("GET", "/v1/models"),
  callOf("GET", "/v1/models/black-forest-labs-flux-1-kontext-dev"),
  ...Object.values(JOB_IDS).map((id) => callOf("GET", `${ENDPOINT}/status/${id}?ttl=1000`)),
  callOf("POST", `${ENDPOINT}/status/${JOB_IDS.completed}`, Buffer.from("{}")),
  callOf("GET", `${ENDPOINT}/status-sync/${JOB_IDS.completed}?wait=1000`),
  callOf("GET", `${ENDPOINT}/stream/${JOB_IDS.completed}?wait=1000`),
  callOf("POST", `${ENDPOINT}/cancel/${JOB_IDS.failed}`, Buffer.alloc(0)),
  callOf("POST", `${ENDPOINT}/retry/${JOB_IDS.failed}`, Buffer.from("{}")),
  callOf("POST", `${ENDPOINT}/purge-queue`, Buffer.alloc(0)),
  callOf("GET", `${ENDPOINT}/health`),
  callOf("GET", `${ENDPOINT}/requests?offset=0&limit=10`),
  callOf("GET", `${ENDPOINT}/usage?from=2026-01-01&to=2026-02-28`),
  callOf("GET", `${ENDPOINT}/loras`),
  callOf("GET", `${ENDPOINT}/estimate?size=512*512&image_size=640*480&guidance=2&negative=true`),
  callOf("GET", `${ENDPOINT}/queue/${JOB_IDS.completed}`),
  callOf("POST", `${ENDPOINT}/picture`, json({ image: PIXEL }), [JSON_TYPE]),
  callOf("GET", `${ENDPOINT}/webhook-deliveries?offset=1&limit=100`),
  ...["/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/docs", "/icon.svg"].map((to) =>
    callOf("GET", to),
  ),
  ...["keys", "queue", "workers", "disk", `jobs/${JOB_IDS.held}`, "reviews?limit=1", "review-log?job=x"].map(
    (to) => callOf("GET", `/operator/${to}`),
  ),
  callOf("GET", `/operator/reviews/${JOB_IDS.held}/pictures/0`),
  callOf("POST", `/operator/reviews/${JOB_IDS.held}/reject`, Buffer.from('{"reason":"Not ours."}')),
  callOf("GET", "/examples/bluebird.png", undefined, [["Range", "bytes=0-10"]]),
  callOf("GET", `/files/${RESULT}?expires=1&signature=x`, undefined, [["If-None-Match", '"x"']]),
];

/** A server on a port of its own. */
async function startServer() {
  const lines: string[] = [];
  const signedUrls = createSignedUrls({ secret: "a secret of the fuzzer", lifetimeMs: 3_600_000 });
  const policy = createAddressPolicy([]);
  const config = { ...readConfig({ RETOUCH_LORAS: "ink=/loras/ink.safetensors" }), ...NO_LIMITS };
  const app = await createApp({
    config,
    endpoints: [{ id: config.endpointId, jobs: createFakeJobs(), model: USUAL_TRAITS }],
    keys: createFakeKeys(),
    storage: createFakeStorage(Buffer.from(PIXEL, "base64")),
    signedUrls,
    freeSpace: { admit: async () => {} },
    log: createLog({
      level: "warn",
      destination: { write: (line) => void ((lines.length = 0), lines.push(line)) },
    }),
    examples: new Map([["bluebird.png", inRepository("examples", "bluebird.png")]]),
    isRefusedAddress: (url) => isRefusedLiterally(policy, url),
    operator: createFakeOperator(),
    pictures: {
      download: async () => {
        throw new RetouchError("IMAGE_UNREADABLE", "image cannot be downloaded.");
      },
    },
    pagesFolder: inRepository("dist", "web"),
    notReady: async () => undefined,
    runningWorkers: () => 1,
    closeGraceMs: 100,
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { app, port, signedUrls, lines };
}

type Generate = (random: Random, signedFile: Call) => Buffer;

function http(name: string, parser: string, generate: Generate): Target {
  const fields = { name, parser, codes: [], maxMiB: 450 };
  return target<Buffer>(fields, async () => {
    const server = await startServer();
    const signed = server.signedUrls.sign(`outputs/${RESULT}`, new Date(8.64e14));
    const signedFile = callOf("GET", signed, undefined, [["If-None-Match", `W/"other", "${RESULT}"`]]);
    return {
      generate: (random) => generate(random, signedFile),
      async feed(bytes) {
        const text = await exchange({ port: server.port, host: "127.0.0.1" }, bytes);
        try {
          checkAnswers(text, []);
        } catch (error) {
          if (server.lines.length > 0)
            (error as Error).message += ` | the log: ${server.lines.join(" ").slice(0, 1500)}`;
          throw error;
        }
      },
      close: () => server.app.close(),
    };
  });
}

export const TARGETS: readonly Target[] = [
  http("http-run", "POST /run, /runsync: src/server/routes/submit.ts, edit-input.ts", (random) => {
    const route = random.pick(["/run", "/runsync", "/runsync?wait=1000"]);
    return bytesOf(callOf("POST", ENDPOINT + route, jsonBytes(JOB_BODIES, random), [JSON_TYPE]), random);
  }),
  http("http-openai-json", "POST /v1/images/edits, JSON: src/server/openai", (random) =>
    bytesOf(callOf("POST", "/v1/images/edits", jsonBytes(OPENAI_BODIES, random), [JSON_TYPE]), random),
  ),
  http("http-openai-form", "POST /v1/images/edits, form: src/server/openai", (random) => {
    const { contentType, body } = formOf(FORMS, random);
    return bytesOf(callOf("POST", "/v1/images/edits", body, [["Content-Type", contentType]]), random);
  }),
  http("http-headers", "the headers of every route: src/server", (random, signedFile) =>
    bytesOf(withOddHeaders(random.pick([...CALLS, signedFile, signedFile, signedFile]), random), random),
  ),
  http(
    "http-paths",
    "methods, paths, ids and queries of every route: src/server/routes",
    (random, signedFile) => {
      const call = withOddTarget(random.pick([...CALLS, signedFile, signedFile]), random);
      return bytesOf(random.chance(0.1) ? withOddMethod(call, random) : call, random);
    },
  ),
  http("http-bytes", "connections: node:http and src/server/connections.ts", (random, signedFile) =>
    oddBytes([...CALLS, signedFile], random),
  ),
];
