/** What the routes of other providers' APIs have in common: the endpoints as their models, and all jobs of a key. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { recordOf, type RetouchError, wordError } from "../errors.ts";
import { WIRE } from "../engine/edit-parameters.ts";
import type { Job } from "../jobs/job.ts";
import { sha256InTurns } from "../sha256.ts";
import { setBodyParser } from "./body.ts";
import { parseJsonBody } from "./json-body.ts";
import { checkMasking } from "../engine/mask-rules.ts";
import { checkImageCount } from "../engine/model-traits.ts";
import { unknownNames } from "../engine/request-fields.ts";
import { editOf, type ParsedBody, policyOf } from "./edit-input.ts";
import type { RouteContext, TypedApp } from "./routes/context.ts";
import type { EditInput } from "./schemas.ts";
import { layoutOfSeveral } from "./several-images.ts";

/** Names of the endpoint's own model in those APIs: the hosted variants stand for the one that is here. */
const KONTEXT_NAMES: ReadonlySet<string> = new Set([
  "flux-kontext-dev",
  "flux-kontext-pro",
  "flux-kontext-max",
]);
const ID = /^[A-Za-z0-9_-]{1,100}$/;

/** An endpoint by its id, or the first one by a name of FLUX.1 Kontext. */
export function contextOf(contexts: readonly RouteContext[], name: string): RouteContext | undefined {
  const own = contexts.find(({ config }) => config.endpointId === name);
  return own ?? (KONTEXT_NAMES.has(name) ? contexts[0] : undefined);
}

/** Every name that {@link contextOf} knows. */
export const modelNames = (contexts: readonly RouteContext[]): string[] => [
  ...new Set([...contexts.map(({ config }) => config.endpointId), ...KONTEXT_NAMES]),
];

/** A job of any endpoint of this key, by whichever API it was submitted. */
export async function findJob(
  contexts: readonly RouteContext[],
  id: string,
  keyId: string,
): Promise<{ job: Job; context: RouteContext } | undefined> {
  if (!ID.test(id)) return undefined;
  for (const context of contexts) {
    const job = await context.jobs.find(id, keyId);
    if (job) return { job, context };
  }
  return undefined;
}

/** Where this server is reached by whoever asks for a job. */
export const baseOf = ({ baseUrl }: Job, publicUrl: string | undefined): string => publicUrl ?? baseUrl;

export interface OwnTerms {
  /** In our fields, without the images. */
  input: Omit<EditInput, "image" | "images" | "mask">;
  images: readonly string[];
  mask?: string | undefined;
  /** What was given and what is known, in the API's names: the rest has no effect, and the job says so. */
  given: object;
  known: readonly string[];
}

/** A checked body in our terms. @throws RetouchError INVALID_PARAMETER about the field */
export function parsedOf(
  { input, images, mask, given, known }: OwnTerms,
  { config, model }: RouteContext,
): Omit<ParsedBody, "webhook"> {
  const hasMask = mask !== undefined;
  const wanted = editOf(input as EditInput, config, model);
  const { layout, notices } = layoutOfSeveral(images.length, model, { layout: wanted.imageLayout, hasMask });
  checkImageCount(images.length, model, layout, hasMask);
  checkMasking(wanted, { hasMask, numImages: images.length, takesMask: model.takesMask ?? false });
  const requestNotices = [...unknownNames(given, known), ...notices];
  return {
    images,
    mask,
    edit: {
      ...wanted,
      imageLayout: layout,
      requestNotices: requestNotices.length > 0 ? requestNotices : undefined,
    },
    policy: policyOf({}, config, { isSync: false }),
  };
}

/** What follows the name of a field of which there are several. */
const NUMBERED = /^(?:_(\d{1,2}))?$/;

/** The images of numbered fields, such as `input_image`, `input_image_2`, in the order of their numbers. */
export function numberedImages(body: Readonly<Record<string, unknown>>, name: string): string[] {
  const fields = Object.entries(body).flatMap(([field, value]) => {
    if (!field.startsWith(name) || typeof value !== "string") return [];
    const [isOne, number = "1"] = NUMBERED.exec(field.slice(name.length)) ?? [];
    return isOne === undefined ? [] : [{ place: Number(number), value }];
  });
  return fields.toSorted((a, b) => a.place - b.place).map(({ value }) => value);
}

/** Makes `app` read JSON in which null counts as absent, as it does for those APIs. */
export function setNullFreeParser(app: TypedApp, { readBody }: Pick<RouteContext, "readBody">): void {
  setBodyParser(app, readBody, async (request, bytes) => {
    if (request.headers["idempotency-key"] !== undefined) request.bodyHash = await sha256InTurns(bytes);
    return withoutNulls(parseJsonBody(bytes), 2);
  });
}

/** @param depth of objects that are looked into: the body, and one inside of it */
function withoutNulls(value: unknown, depth: number): unknown {
  if (depth === 0 || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const fields = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(fields.map(([name, inner]) => [name, withoutNulls(inner, depth - 1)]));
}

/** The API's own shape comes from `error-shapes.ts`. */
export function refuse(reply: FastifyReply, status: number, why: string | RetouchError): FastifyReply {
  if (typeof why === "string") return reply.code(status).send({ error: why });
  (reply.request as FastifyRequest).failure = recordOf(why);
  return reply.code(status).send({ error: wordError(why, WIRE) });
}
