/** Calls as a client makes them: every one ends, with an answer or without. */
import { setTimeout as delay } from "node:timers/promises";
import { addProblem, type Ledger } from "./ledger.ts";

export const ENDPOINT = "black-forest-labs-flux-1-kontext-dev";
const TIMEOUT_MS = 20_000;
/** After a call that broke, as clients do. */
const PAUSE_MS = 200;

/** The fields of answers that are looked at. */
export interface Body {
  id?: string;
  status?: string;
  error?: string;
  delayTime?: number;
  executionTime?: number;
  output?: { image_url?: string; images?: { url: string }[] };
  jobs?: { inQueue: number; inProgress: number };
  deliveries?: { jobId: string; status: string }[];
}

export interface Answer {
  status: number;
  body: Body;
}

export interface CallOptions {
  method?: "GET" | "POST";
  key: string;
  body?: string | undefined;
  idempotencyKey?: string | undefined;
}

export interface Caller {
  /** @returns undefined where the call broke or took too long: whether it had an effect is unknown */
  call(address: string, route: string, options: CallOptions): Promise<Answer | undefined>;
}

export function createCaller(
  ledger: Ledger,
  { isRefusalAllowed }: { isRefusalAllowed: () => boolean },
): Caller {
  const count = (name: string): void => void ledger.answers.set(name, (ledger.answers.get(name) ?? 0) + 1);
  return {
    async call(address, route, { method, key, body, idempotencyKey }) {
      try {
        const response = await fetch(`${address}/v2/${ENDPOINT}${route}`, {
          method: method ?? (body === undefined ? "GET" : "POST"),
          headers: {
            authorization: `Bearer ${key}`,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
          },
          body: body ?? null,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        const answer = { status: response.status, body: JSON.parse(await response.text()) as Body };
        count(String(answer.status));
        if (answer.status === 500) addProblem(ledger, "an answer of 500", `${route}: ${answer.body.error}`);
        return answer;
      } catch (error) {
        count("none");
        if (!isRefusalAllowed()) {
          const { cause } = error as { cause?: unknown };
          addProblem(ledger, "a call without an answer", `${route}: ${String(error)} ${String(cause ?? "")}`);
        }
        await delay(PAUSE_MS);
        return undefined;
      }
    },
  };
}
