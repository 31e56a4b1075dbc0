/** The server as the tests see it: with everything behind it in memory, and each answer held against the OpenAPI document. */
import path from "node:path";
import type { FastifyInstance, InjectOptions } from "fastify";
import type { LightMyRequestResponse } from "fastify";
import { afterEach, expect } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { checkMaskFile } from "../../src/engine/masking.ts";
import type { Keys } from "../../src/keys/contracts.ts";
import { createLog } from "../../src/log.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { isRefusedLiterally } from "../../src/net/literal-address.ts";
import { type AppDependencies, createApp, type ServedEndpoint } from "../../src/server/app.ts";
import { type ModelTraits, USUAL_TRAITS } from "../../src/server/schemas.ts";
import type { ServerSettings } from "../../src/server/settings.ts";
import { createSignedUrls, type SignedUrls } from "../../src/storage/signed-urls.ts";
import { documentOf, undocumented } from "../support/document.ts";
import { root } from "../support/fixtures.ts";

export { documentOf };
import {
  createFakeJobs,
  createFakeKeys,
  createFakeStorage,
  type FakeJobs,
  type FakeStorage,
  createFakeOperator,
  OPERATOR_KEY,
} from "./fakes.ts";

export const KEY = "key-one";
export const OTHER_KEY = "key-two";
export const ENDPOINT = "/v2/black-forest-labs-flux-1-kontext-dev";
export const INPUT = { prompt: "a red hat", image: "https://pictures.example/bird.png" };

export interface TestServer {
  app: FastifyInstance;
  jobs: FakeJobs;
  keys: Pick<Keys, "verify">;
  storage: FakeStorage;
  signedUrls: SignedUrls;
  /** The lines of the log. */
  lines: Record<string, unknown>[];
  /** A call of the endpoint, as {@link KEY} unless `authorization` says otherwise. */
  call(
    method: "GET" | "POST" | "HEAD",
    route: string,
    options?: CallOptions,
  ): Promise<LightMyRequestResponse>;
  /** Any other call. */
  inject(options: InjectOptions): Promise<LightMyRequestResponse>;
  /** Submits a job. @returns its id */
  submit(input?: object): Promise<string>;
}

export interface CallOptions {
  /** JSON, or a text that is sent as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

const open = new Set<FastifyInstance>();
afterEach(async () => {
  for (const app of open) await app.close();
  open.clear();
});

export async function startServer(
  settings: Partial<ServerSettings> = {},
  parts: Partial<
    Pick<
      AppDependencies,
      "notReady" | "isStopping" | "runningWorkers" | "closeGraceMs" | "freeSpace" | "connectionTimes"
    >
  > & {
    allowPrivateHosts?: string[];
    pictures?: AppDependencies["pictures"];
    /** Of the default endpoint. */
    model?: ModelTraits;
    others?: ServedEndpoint[];
  } = {},
): Promise<TestServer> {
  const jobs = createFakeJobs();
  const keys = createFakeKeys(KEY, OTHER_KEY, OPERATOR_KEY);
  const storage = createFakeStorage();
  const signedUrls = createSignedUrls({ secret: "a secret of the tests", lifetimeMs: 3_600_000 });
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const policy = createAddressPolicy(parts.allowPrivateHosts ?? []);
  const config = { ...readConfig({}), ...settings };
  const app = await createApp({
    config,
    endpoints: [{ id: config.endpointId, jobs, model: parts.model ?? USUAL_TRAITS }, ...(parts.others ?? [])],
    keys,
    storage,
    signedUrls,
    freeSpace: parts.freeSpace ?? { admit: async () => {} },
    log: createLog({ level: "debug", destination: { write } }),
    examples: new Map([["bluebird.png", path.join(root, "examples", "bluebird.png")]]),
    isRefusedAddress: (url) => isRefusedLiterally(policy, url),
    // In the service, another process does this.
    checkMask: (given) => checkMaskFile(given, { maxPixels: readConfig({}).imageMaxPixels }),
    operator: createFakeOperator(),
    pictures: parts.pictures ?? {
      download: async (url) => {
        throw new Error(`Nobody expects a download of ${url}.`);
      },
    },
    pagesFolder: path.join(root, "dist", "web"),
    notReady: parts.notReady ?? (async () => undefined),
    runningWorkers: parts.runningWorkers ?? (() => 1),
    isStopping: parts.isStopping,
    closeGraceMs: parts.closeGraceMs,
    connectionTimes: parts.connectionTimes,
  });
  open.add(app);
  await app.ready();

  async function inject(options: InjectOptions): Promise<LightMyRequestResponse> {
    const response = await app.inject(options);
    checkAnswer(app, options, response);
    return response;
  }
  const call: TestServer["call"] = (method, route, { body, headers } = {}) =>
    inject({
      method,
      url: `${ENDPOINT}${route}`,
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return {
    app,
    jobs,
    keys,
    storage,
    signedUrls,
    lines,
    call,
    inject,
    async submit(input = INPUT) {
      const response = await call("POST", "/run", { body: { input } });
      expect(response.statusCode).toBe(200);
      return response.json<{ id: string }>().id;
    },
  };
}

/** JSON, no null anywhere but in OpenAI's errors and examples of them, and what the document promises for this route and status. */
function checkAnswer(app: FastifyInstance, options: InjectOptions, response: LightMyRequestResponse): void {
  const { statusCode, headers, body } = response;
  const isJson = String(headers["content-type"]).startsWith("application/json");
  const url = String(options.url).replace(/\?.*$/, "");
  if (isJson && body !== "" && !url.startsWith("/v1/") && url !== "/openapi.json") {
    // Written out: a JSON text has `null` as a value only where no quote stands before it.
    expect(body.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')).not.toContain("null");
  }
  const method = options.method ?? "GET";
  const answer = { method, url, status: statusCode, contentType: String(headers["content-type"]), body };
  expect(undocumented(documentOf(app), answer), body).toEqual([]);
}
