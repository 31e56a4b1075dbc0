/** The whole service in this process, as `retouch serve` composes it, for tests that speak HTTP with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { readConfig } from "../../src/config/config.ts";
import { createLog, type Log } from "../../src/log.ts";
import { type Service, startService } from "../../src/service/service.ts";
import { databaseUrl, dropSchema, newSchema, threadEntry } from "./databases.ts";
import { documentOf, undocumented } from "./document.ts";
import { copyEmptyDatabase } from "./embedded.ts";
import { root } from "./fixtures.ts";

export type DatabaseName = "PGlite" | "PostgreSQL";

export interface TestService {
  /** With the endpoint's path, without a slash at the end. */
  endpoint: string;
  address: string;
  key: string;
  service: Service;
  /** RETOUCH_DATA_DIR, and the schema of its tables. */
  folder: string;
  schema: string;
  /** Calls the endpoint with the test's key; a body that is an object is sent as JSON. @throws where the answer is not as documented */
  call(path: string, init?: CallInit): Promise<Answer>;
  close(): Promise<void>;
}

export interface CallInit {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  key?: string | null;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  headers: Headers;
  /** Whatever JSON the server sent. */
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

export const ENDPOINT = "black-forest-labs-flux-1-kontext-dev";
export const KEY = "test-key-of-sixteen-or-more";
const compiled = (name: string): URL => pathToFileURL(path.join(root, "dist", "worker", name));
const maskEntry = compiled("mask-process.js");
const pictureEntry = compiled("picture-process.js");
/**
 * Threads that wait for each other cost such small networks more than they save, all the more beside other tests, and
 * change no number (test/engine/resume.test.ts). The tests of the package and of the container have one a core.
 */
export const ONE_THREAD = { RETOUCH_THREADS: "1" } as const;
export const stubEngine = pathToFileURL(path.join(root, "tools", "stub-engine.mjs"));
export const realEngine = pathToFileURL(path.join(root, "dist", "worker", "engine-main.js"));

/** @param settings variables of the environment, beside those that every test needs */
export async function startTestService(options: {
  database: DatabaseName;
  engine?: URL;
  settings?: Record<string, string>;
  log?: Log;
  /** A module with other model families. */
  pipelinesModule?: URL;
}): Promise<TestService> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  const isEmbedded = options.database === "PGlite";
  // The one of the database that is copied.
  const schema = isEmbedded ? "retouch" : newSchema();
  if (isEmbedded) await copyEmptyDatabase(path.join(folder, "database"));
  const config = readConfig({
    RETOUCH_PORT: "0",
    RETOUCH_DATA_DIR: folder,
    RETOUCH_DATABASE_SCHEMA: schema,
    RETOUCH_ALLOW_PRIVATE_HOSTS: "127.0.0.1",
    RETOUCH_SHUTDOWN_DEADLINE: "0ms",
    DATABASE_URL: isEmbedded ? "" : databaseUrl,
    ...ONE_THREAD,
    ...options.settings,
  });
  const log = options.log ?? createLog({ level: process.env["TEST_LOG"] ?? "fatal" });
  const { engine: engineEntry = stubEngine, pipelinesModule } = options;
  const service = await startService({
    config,
    log,
    threadEntry,
    engineEntry,
    maskEntry,
    pictureEntry,
    pipelinesModule,
  });
  await service.keys.ensure(KEY, "test");
  const endpoint = `${service.address}/v2/${ENDPOINT}`;
  if (config.workers > 0) await untilReady(service);
  const document = documentOf(service.app);
  return {
    endpoint,
    address: service.address,
    key: KEY,
    service,
    folder,
    schema: config.databaseSchema,
    async call(to, init) {
      const answer = await call(`${endpoint}${to}`, init);
      const { status, headers, body } = answer;
      const problems = undocumented(document, {
        method: methodOf(init),
        url: `/v2/${ENDPOINT}${to}`,
        status,
        contentType: headers.get("content-type") ?? "",
        body: JSON.stringify(body),
      });
      if (problems.length > 0) throw new Error(`${to} is not as documented: ${problems.join("; ")}.`);
      return answer;
    },
    async close() {
      await service.close();
      await rm(folder, { recursive: true, force: true });
      if (!isEmbedded) await dropSchema(schema);
    },
  };
}

const methodOf = ({ method, body }: { method?: string | undefined; body?: unknown } = {}): string =>
  method ?? (body === undefined ? "GET" : "POST");

export async function call(url: string, init: CallInit = {}): Promise<Answer> {
  const { method, body, headers = {}, key = KEY, signal } = init;
  const isJson = typeof body === "object" && body !== null && !(body instanceof Uint8Array);
  const response = await fetch(url, {
    method: methodOf({ method, body }),
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(isJson ? { "content-type": "application/json" } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : (body as string) }),
    ...(signal ? { signal } : {}),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
  };
}

async function untilReady({ address }: Service): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const { status } = await fetch(`${address}/readyz`);
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("The service did not become ready.");
}

/** Asks until `isDone`: for 90 s where no other patience is given, because a machine may have other things to do. */
export async function until<Result>(
  ask: () => Promise<Result>,
  isDone: (result: Result) => boolean,
  { patienceMs = 90_000 } = {},
): Promise<Result> {
  const start = performance.now();
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs = performance.now() - start) {
    const result = await ask();
    if (isDone(result)) return result;
    // What takes long is not to be slowed down by the questions.
    await new Promise((resolve) => setTimeout(resolve, waitedMs < 2000 ? 25 : 100));
  }
  throw new Error(`It did not come to that: ${JSON.stringify(await ask())}`);
}
