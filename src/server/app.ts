/** The HTTP server as a value: everything it needs comes in, nothing listens yet. */
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from "fastify";
import type { Allowances } from "../jobs/allowances.ts";
import { DEFAULT_ENDPOINT } from "../jobs/endpoints.ts";
import type { Jobs } from "../jobs/contracts.ts";
import type { Keys } from "../keys/contracts.ts";
import type { Log } from "../log.ts";
import type { PublicJwk } from "../receipts/keys.ts";
import type { FreeSpace } from "../storage/free-space.ts";
import type { SignedUrls } from "../storage/signed-urls.ts";
import type { Storage } from "../storage/storage.ts";
import { addAnswerHeaders } from "./answer-headers.ts";
import { createAuthenticate, createCheckCaller, requireKey, requireOperator } from "./auth.ts";
import { addBflErrors } from "./bfl/answers.ts";
import { addBflRoutes } from "./bfl/routes.ts";
import { addBodies } from "./body.ts";
import { createBodyBudget } from "./body-budget.ts";
import { createProxyTrust } from "./client-address.ts";
import { CONNECTION_TIMES, type ConnectionTimes } from "./connection-times.ts";
import { createConnections } from "./connections.ts";
import { createEmbeddedResults } from "./embedded-results.ts";
import { addExpectations } from "./expectations.ts";
import { addFailures, answerUnreadable } from "./failures.ts";
import { addCallLog, addClosing, addCors, addDraining } from "./hooks.ts";
import { rewriteFlash } from "./flash.ts";
import { createHostCheck } from "./host-check.ts";
import { createLimits } from "./limits.ts";
import { addMetrics, type Readings } from "./metrics.ts";
import { addOpenAiErrors } from "./openai/errors.ts";
import { addOpenAiRoutes } from "./openai/routes.ts";
import { addOperatorRoutes, type OperatorDependencies } from "./operator/routes.ts";
import { imageEditSchema } from "./openai/schemas.ts";
import { addDocument } from "./openapi/document.ts";
import type { CheckMask } from "./input-image.ts";
import type { IsRefusedAddress } from "./public-address.ts";
import { createBodyReader } from "./read-body.ts";
import { addReplicateErrors } from "./replicate/answers.ts";
import { addReplicateRoutes } from "./replicate/routes.ts";
import { addDocumentRoute } from "./routes/document.ts";
import type { RouteContext, TypedApp } from "./routes/context.ts";
import { addEndpointRoutes } from "./routes/endpoint.ts";
import { addExampleRoutes, addFileRoutes } from "./routes/files.ts";
import { createLongPolls } from "./routes/long-polls.ts";
import { addJobRoutes } from "./routes/jobs.ts";
import { addOperationRoutes, type NotReady } from "./routes/operations.ts";
import { addPictureRoutes, type PictureSources } from "./routes/pictures.ts";
import { addPages } from "./routes/pages.ts";
import { addReceiptKeyRoutes, addReceiptRoutes } from "./routes/receipts.ts";
import { addSubmitRoutes } from "./routes/submit.ts";
import type { ModelTraits } from "./schemas.ts";
import type { ServerSettings } from "./settings.ts";
import { createWrongKeys } from "./wrong-keys.ts";

/** An endpoint of this server. */
export interface ServedEndpoint {
  /** In addresses. */
  id: string;
  /** In the database: `jobs/endpoints.ts`. @default that of the default one */
  name?: string | undefined;
  jobs: Jobs;
  model: ModelTraits;
}

export interface AppDependencies {
  config: ServerSettings;
  /** At least one: the default one, which has the LoRAs of the settings. */
  endpoints: readonly ServedEndpoint[];
  keys: Pick<Keys, "verify">;
  storage: Pick<Storage, "get" | "put" | "delete">;
  signedUrls: SignedUrls;
  /** The public keys of receipts. @default there are none */
  receiptKeys?: (() => Promise<readonly PublicJwk[]>) | undefined;
  /** Free disk space for what requests store. */
  freeSpace: FreeSpace;
  log: Log;
  /** The shipped example images: name to file. */
  examples: ReadonlyMap<string, string>;
  isRefusedAddress: IsRefusedAddress;
  /** @default none: their jobs tell what is wrong with masks */
  checkMask?: CheckMask | undefined;
  /** What operators see and decide. */
  operator: OperatorDependencies;
  /** How images are shown that a browser cannot read or reach. */
  pictures: PictureSources;
  /** The built playground. */
  pagesFolder: string;
  /** Further metrics. @default none */
  readings?: Readings | undefined;
  /** Why edits cannot be done now. */
  notReady: () => Promise<NotReady | undefined>;
  /** Number of workers that report being alive. */
  runningWorkers: () => number;
  /** What all servers of one database count together. */
  allowances?: Allowances | undefined;
  /** Whether the server will close soon: each reply then ends its connection, so that clients leave. @default never */
  isStopping?: (() => boolean) | undefined;
  /** How long replies in flight may take when the server closes. @default 5 s */
  closeGraceMs?: number | undefined;
  /** @default {@link CONNECTION_TIMES} */
  connectionTimes?: Partial<ConnectionTimes> | undefined;
}

const CLOSE_GRACE_MS = 5000;
const MAX_PARAM_LENGTH = 200;

/**
 * Makes the server.
 * Closing it ends the long polls: each answers 200 with the current state of its job, which goes on.
 */
export async function createApp(dependencies: AppDependencies): Promise<FastifyInstance> {
  const { config, endpoints, keys, storage, signedUrls, examples, isRefusedAddress } = dependencies;
  const log = dependencies.log.child({ part: "http" });
  const authenticate = createAuthenticate(keys, createWrongKeys(config));
  const checkCaller = createCheckCaller(createHostCheck(config), authenticate);
  const times = { ...CONNECTION_TIMES, ...dependencies.connectionTimes };
  const connections = createConnections(config, times);
  const endpointIds = endpoints.map(({ id }) => id);
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // Fastify's own lines show URLs with their signatures.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: createProxyTrust(config.trustedProxies ?? []),
    rewriteUrl: (request) => rewriteFlash(request, endpointIds),
    http: connections.serverOptions,
    requestTimeout: connections.requestTimeoutMs,
    keepAliveTimeout: times.idleMs,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    routerOptions: {
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true,
      maxParamLength: MAX_PARAM_LENGTH,
    },
    // URLs that cannot be decoded, or that hold something endless where an id should be.
    frameworkErrors: (_error, request, reply: FastifyReply) =>
      void answerUnreadable(request, reply, checkCaller),
    clientErrorHandler: connections.refuse,
  });

  connections.supervise(app.server);
  const expectations = addExpectations(app);
  const budget = createBodyBudget(config);
  const readBody = createBodyReader({ budget, connections, expectations });
  addBodies(app, readBody);
  // Sent as they are: a serializer that drops or converts fields would hide mistakes from the tests.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.decorateRequest("keyId", "");
  app.decorateRequest("bodyHash", "");
  const longPolls = createLongPolls();
  const { closeGraceMs: graceMs = CLOSE_GRACE_MS, isStopping = () => false } = dependencies;
  addClosing(app, { longPolls, graceMs, isStopping });
  addDraining(app, expectations);
  addCors(app, config.corsOrigin);
  addCallLog(app, log);
  addAnswerHeaders(app);
  addFailures(app, log, { endpointIds, authenticate, checkCaller });
  addOpenAiErrors(app, imageEditSchema(config));
  addBflErrors(app);
  addReplicateErrors(app);
  const metrics = addMetrics(app, endpoints, log, {
    retouch_http_connections: { help: "Connections that are open.", read: connections.count },
    retouch_http_body_bytes: { help: "Bytes of bodies that are held.", read: budget.heldBytes },
    ...dependencies.readings,
  });
  const limits = createLimits({
    settings: config,
    runningWorkers: dependencies.runningWorkers,
    allowances: dependencies.allowances,
    onError: (error) => log.warn({ err: error }, "Limits that servers share could not be renewed."),
  });
  app.addHook("onClose", async () => limits.close());
  await addDocument(app, config);

  const addressOf = addressIn(config, signedUrls);
  const shared = {
    storage,
    signedUrls,
    freeSpace: dependencies.freeSpace,
    log,
    limits: limits.of,
    longPolls,
    readBody,
    addressOf,
    embedded: createEmbeddedResults(storage, log),
    examples,
    isRefusedAddress,
    checkMask: dependencies.checkMask,
  };
  const contextOf = ({ id, jobs, model }: ServedEndpoint): RouteContext => {
    const loras = id === config.endpointId ? config.loras : undefined;
    return { ...shared, config: { ...config, endpointId: id, loras }, jobs, model };
  };
  const contexts = endpoints.map(contextOf);
  for (const context of contexts) {
    await app.register(
      async (scope) => {
        const endpoint = scope.withTypeProvider<TypeBoxTypeProvider>();
        requireKey(endpoint, authenticate);
        addSubmitRoutes(endpoint, context);
        addJobRoutes(endpoint, context);
        addReceiptRoutes(endpoint, context);
        addEndpointRoutes(endpoint, context);
        addPictureRoutes(endpoint, context, dependencies.pictures);
      },
      { prefix: `/v2/${context.config.endpointId}` },
    );
  }
  const addApi = (
    prefix: string,
    addRoutes: (scope: TypedApp, contexts: readonly RouteContext[]) => void,
    schemes?: readonly string[],
  ): PromiseLike<unknown> =>
    app.register(
      async (scope) => {
        requireKey(scope, authenticate, schemes);
        addRoutes(scope.withTypeProvider<TypeBoxTypeProvider>(), contexts);
      },
      { prefix },
    );
  await addApi("/v1", addOpenAiRoutes);
  await addApi("/bfl/v1", addBflRoutes, ["x-key", "key"]);
  await addApi("/replicate/v1", addReplicateRoutes);
  await app.register(
    async (scope) => {
      const operator = scope.withTypeProvider<TypeBoxTypeProvider>();
      requireOperator(operator, authenticate);
      const names = new Map(endpoints.map(({ id, name = DEFAULT_ENDPOINT }) => [name, id]));
      addOperatorRoutes(operator, dependencies.operator, contexts[0]!, names);
    },
    { prefix: "/operator" },
  );
  // A signed URL grants access by itself, whatever host name it was handed out under.
  const [first] = contexts as [RouteContext];
  addFileRoutes(app.withTypeProvider<TypeBoxTypeProvider>(), first, checkCaller);
  await app.register(async (scope) => {
    const open = scope.withTypeProvider<TypeBoxTypeProvider>();
    open.addHook("onRequest", checkCaller);
    addExampleRoutes(open, first);
    addReceiptKeyRoutes(open, dependencies.receiptKeys ?? (async () => []));
    addOperationRoutes(open, { metrics, notReady: dependencies.notReady });
    addDocumentRoute(open, () => app.swagger());
    await addPages(open, { folder: dependencies.pagesFolder, publicUrl: config.publicUrl });
  });
  return app;
}

/** Absolute URLs of results: under the operator's public URL, or under the origin of the submission. */
export function addressIn(
  config: Pick<ServerSettings, "publicUrl">,
  signedUrls: SignedUrls,
): RouteContext["addressOf"] {
  return (key, job) =>
    (config.publicUrl ?? job.baseUrl) + signedUrls.sign(key, job.endedAt ?? job.submittedAt);
}
