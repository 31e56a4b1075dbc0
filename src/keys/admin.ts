/**
 * Local administration of a running server: its API keys and the results that wait for an operator. The embedded database
 * has one owner, so other programs ask that owner instead of opening the folder themselves.
 */
import { RetouchError } from "../errors.ts";
import type { RotatedSecret } from "../jobs/webhook-secrets.ts";
import type { Job } from "../jobs/job.ts";
import type { ReviewEntry } from "../jobs/review-log.ts";
import { jsonToJob } from "../jobs/rows.ts";
import type { HeldJob, Reviews } from "../jobs/reviews.ts";
import { decisionOf, malformed, pageOf, termsOf } from "./admin-options.ts";
import { askFolder, listenInFolder, type AdminServer } from "./admin-socket.ts";
import type { ApiKey, CreatedKey, Keys } from "./contracts.ts";

export type KeysAdmin = Omit<Keys, "verify">;

/** What can be asked of the server. */
export interface Administered {
  keys: KeysAdmin;
  reviews: Reviews;
}

/** Listens in `folder`, which this process must own. */
export const startAdminServer = (folder: string, administered: Administered): Promise<AdminServer> =>
  listenInFolder(folder, (body) => serve(administered, body));

/**
 * The keys and reviews of the server that runs on `folder`. Creates nothing there.
 * Methods reject with the code ECONNREFUSED or ENOENT if no server runs on it.
 */
export function connectAdmin(folder: string): Administered {
  const ask = <Result>(method: Method, call: Omit<Call, "method"> = {}): Promise<Result> =>
    askFolder<Result>(folder, { method, ...call });
  return {
    keys: {
      async create(name, options) {
        const { record, ...secrets } = await ask<CreatedKey>("create", { argument: name, options });
        return { ...secrets, record: keyWithDates(record) };
      },
      async list() {
        const records = await ask<ApiKey[]>("list");
        return records.map(keyWithDates);
      },
      async update(id, options) {
        const record = await ask<ApiKey | undefined>("update", { argument: id, options });
        return record && keyWithDates(record);
      },
      revoke: (id) => ask<boolean>("revoke", { argument: id }),
      async rotateWebhookSecret(id, keepMs) {
        const rotated = await ask<RotatedSecret | undefined>("rotateWebhookSecret", { argument: id, keepMs });
        return rotated?.oldUntil === undefined
          ? rotated
          : { ...rotated, oldUntil: new Date(rotated.oldUntil) };
      },
      revokeOldWebhookSecrets: (id) => ask<number | undefined>("revokeOldWebhookSecrets", { argument: id }),
    },
    reviews: {
      async list(options) {
        const { held, total } = await ask<{ held: HeldJob[]; total: number }>("listReviews", { options });
        return { held: held.map(heldWithDates), total };
      },
      async find(jobId) {
        const held = await ask<HeldJob | undefined>("findReview", { argument: jobId });
        return held && heldWithDates(held);
      },
      async decide(jobId, options) {
        const job = await ask<Record<keyof Job, never> | undefined>("decideReview", {
          argument: jobId,
          options,
        });
        return job && jsonToJob(job);
      },
      async log(options) {
        const entries = await ask<ReviewEntry[]>("logReviews", { options });
        return entries.map(entryWithDates);
      },
    },
  };
}

interface Call {
  method: Method;
  argument?: string | undefined;
  keepMs?: number | undefined;
  options?: object | undefined;
}

const METHODS = {
  create: ({ keys }: Administered, name: string, _: number, terms: object) =>
    keys.create(name, termsOf(terms)),
  list: ({ keys }) => keys.list(),
  update: ({ keys }, id, _, terms) => keys.update(id, termsOf(terms)),
  revoke: ({ keys }, id) => keys.revoke(id),
  rotateWebhookSecret: ({ keys }, id, keepMs) => keys.rotateWebhookSecret(id, keepMs),
  revokeOldWebhookSecrets: ({ keys }, id) => keys.revokeOldWebhookSecrets(id),
  listReviews: ({ reviews }, _id, _, page) => reviews.list(pageOf(page)),
  findReview: ({ reviews }, id) => reviews.find(id),
  decideReview: ({ reviews }, id, _, decision) => reviews.decide(id, decisionOf(decision)),
  logReviews: ({ reviews }, _id, _, page) => reviews.log(pageOf(page)),
} satisfies Record<
  string,
  (administered: Administered, argument: string, keepMs: number, options: object) => Promise<unknown>
>;

type Method = keyof typeof METHODS;

/** @throws RetouchError INVALID_PARAMETER for anything but a call of {@link connectAdmin}; what the method throws */
async function serve(administered: Administered, body: string): Promise<unknown> {
  const { method, argument = "", keepMs = 0, options = {} } = fieldsOf(body);
  if (typeof method !== "string" || !Object.hasOwn(METHODS, method))
    throw new RetouchError("INVALID_PARAMETER", "There is no such method.");
  // No database stores U+0000.
  const isText = typeof argument === "string" && !argument.includes("\0");
  if (!isText || typeof keepMs !== "number" || typeof options !== "object" || options === null) {
    throw malformed();
  }
  return METHODS[method as Method](administered, argument, keepMs, options);
}

function fieldsOf(body: string): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = JSON.parse(body);
  } catch {
    throw malformed();
  }
  if (typeof fields !== "object" || fields === null) throw malformed();
  return fields as Record<string, unknown>;
}

const keyWithDates = (record: ApiKey): ApiKey => ({
  ...record,
  createdAt: new Date(record.createdAt),
  ...(record.revokedAt && { revokedAt: new Date(record.revokedAt) }),
  ...(record.lastUsedAt && { lastUsedAt: new Date(record.lastUsedAt) }),
});

const entryWithDates = (entry: ReviewEntry): ReviewEntry => ({ ...entry, at: new Date(entry.at) });

const heldWithDates = (held: HeldJob): HeldJob => ({
  ...held,
  heldAt: new Date(held.heldAt),
  until: new Date(held.until),
});
