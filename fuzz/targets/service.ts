/** The whole service with its embedded database and a stub for the engine, and the socket for its keys. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { readConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { startService } from "../../src/service/service.ts";
import { inRepository } from "../../tools/paths.ts";
import { PIXEL } from "../corpus/bodies.ts";
import { checkAnswers, exchange } from "../http/exchange.ts";
import { KEY } from "../http/fakes.ts";
import { bytesOf, type Call, oddBytes, withOddHeaders, withOddTarget } from "../mutate/call.ts";
import { jsonBytes } from "../mutate/json.ts";
import type { Random } from "../random.ts";
import { type Target, target } from "../target.ts";
import { CALLS, callOf, ENDPOINT } from "./http.ts";

const MANY = "1000000";
const SETTINGS = {
  RETOUCH_PORT: "0",
  RETOUCH_HOST: "127.0.0.1",
  RETOUCH_SHUTDOWN_DEADLINE: "0ms",
  RETOUCH_SYNC_WAIT: "1s",
  RETOUCH_MIN_FREE_DISK: "0KB",
  RETOUCH_RUN_RATE: MANY,
  RETOUCH_RUNSYNC_RATE: MANY,
  RETOUCH_STATUS_RATE: MANY,
  RETOUCH_CANCEL_RATE: MANY,
  RETOUCH_PURGE_RATE: MANY,
  RETOUCH_REQUESTS_RATE: MANY,
  RETOUCH_RETRY_RATE: MANY,
  RETOUCH_READ_RATE: MANY,
  RETOUCH_WRONG_KEY_RATE: MANY,
  RETOUCH_MAX_QUEUED: MANY,
};
/** The process does not rest while the database, in a thread, works on an answer. */
const QUIET_MS = 500;

/** Images inline, and no receivers: nothing here is to be reached. */
const BODIES: readonly unknown[] = [
  { input: { prompt: "a red hat", image: PIXEL, seed: 7, num_inference_steps: 1, size: "256*256" } },
  {
    input: { prompt: "h\u00fctte \u{1f3e0}", image: `data:image/png;base64,${PIXEL}`, output_format: "jpeg" },
  },
  {
    input: { prompt: "fail with a sentence", image: PIXEL },
    policy: { ttl: 20_000, executionTimeout: 6000 },
  },
];
/** Those that wait for a job are fed elsewhere. */
const ROUTES = CALLS.filter(
  ({ target: to }) => to.startsWith(ENDPOINT) && !/\/(?:run|runsync|status-sync|stream)\b/.test(to),
);

const ADMIN: readonly unknown[] = [
  { method: "list" },
  { method: "create", argument: "laptop" },
  { method: "revoke", argument: "key_0123456789abcdef" },
  { method: "rotateWebhookSecret", argument: "key_0123456789abcdef", keepMs: 86_400_000 },
  { method: "revokeOldWebhookSecrets", argument: "key_0123456789abcdef" },
  { method: "update", argument: "key_0123456789abcdef", options: { isOperator: true, safetyThreshold: 0.5 } },
  { method: "listReviews", options: { offset: 0, limit: 10 } },
  { method: "findReview", argument: "a-job" },
  {
    method: "decideReview",
    argument: "a-job",
    options: { verdict: "approved", actor: { name: "fuzz" }, reason: "Why not." },
  },
  { method: "logReviews", options: { jobId: "a-job", offset: 0, limit: 10 } },
];

function adminCall(random: Random): Buffer {
  const call: Call = {
    method: "POST",
    target: "/",
    headers: [
      ["Host", "localhost"],
      ["Connection", "close"],
    ],
    body: jsonBytes(ADMIN, random),
  };
  if (random.chance(0.8)) return bytesOf(call, random);
  return random.chance(0.5) ? bytesOf(withOddHeaders(call, random), random) : oddBytes([call], random);
}

function serviceCall(random: Random): Buffer {
  if (random.chance(0.5)) {
    const key = random.chance(0.3)
      ? [["Idempotency-Key", `key ${random.below(50)}`] as [string, string]]
      : [];
    return bytesOf(callOf("POST", `${ENDPOINT}/run`, jsonBytes(BODIES, random), key), random);
  }
  const call = random.pick(ROUTES);
  return bytesOf(random.chance(0.7) ? withOddTarget(call, random) : withOddHeaders(call, random), random);
}

function service(
  name: string,
  parser: string,
  generate: (random: Random) => Buffer,
  isAdmin: boolean,
): Target {
  const fields = { name, parser, codes: [], maxMiB: 1200, maxPeakMiB: 1800 };
  return target<Buffer>(fields, async (folder) => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.splice(0, Math.max(0, lines.length - 2), line);
    const running = await startService({
      config: readConfig({ ...SETTINGS, RETOUCH_DATA_DIR: folder }),
      log: createLog({ level: "warn", destination: { write } }),
      engineEntry: pathToFileURL(inRepository("tools", "stub-engine.mjs")),
    });
    await running.keys.ensure(KEY, "fuzz");
    const port = Number(new URL(running.address).port);
    const place = isAdmin ? { path: path.join(folder, "admin.sock") } : { port, host: "127.0.0.1" };
    return {
      generate,
      async feed(bytes) {
        lines.length = 0;
        const text = await exchange(place, bytes, QUIET_MS);
        try {
          checkAnswers(text, []);
        } catch (error) {
          if (lines.length > 0) (error as Error).message += ` | the log: ${lines.join(" ").slice(0, 1500)}`;
          throw error;
        }
      },
      close: () => running.close(),
    };
  });
}

export const TARGETS: readonly Target[] = [
  service("service", "the routes with the database behind them: src/jobs, src/database", serviceCall, false),
  service("admin-socket", "startAdminServer, src/keys, with the database", adminCall, true),
];
