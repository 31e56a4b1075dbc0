/** What the routes work with. */
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { Jobs } from "../../jobs/contracts.ts";
import type { Job } from "../../jobs/job.ts";
import type { Log } from "../../log.ts";
import type { FreeSpace } from "../../storage/free-space.ts";
import type { SignedUrls } from "../../storage/signed-urls.ts";
import type { Storage } from "../../storage/storage.ts";
import type { EmbeddedResults } from "../embedded-results.ts";
import type { CheckMask } from "../input-image.ts";
import type { BodyReader } from "../read-body.ts";
import type { LimitedRoute, LimitGroup } from "../limits.ts";
import type { IsRefusedAddress } from "../public-address.ts";
import type { ServerSettings } from "../settings.ts";
import type { ModelTraits } from "../schemas.ts";
import type { LongPolls } from "./long-polls.ts";

/** Types of requests and replies come from the schemas of the routes. */
export type TypedApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Of one endpoint. */
export interface RouteContext {
  /** With the id and the LoRAs of this endpoint. */
  config: ServerSettings;
  model: ModelTraits;
  jobs: Jobs;
  storage: Pick<Storage, "get" | "put" | "delete">;
  signedUrls: SignedUrls;
  freeSpace: FreeSpace;
  log: Log;
  limits: (group: LimitGroup) => LimitedRoute;
  longPolls: LongPolls;
  readBody: BodyReader;
  embedded: EmbeddedResults;
  /** Absolute URL of a stored result. */
  addressOf: (key: string, job: Job) => string;
  /** The shipped example images: name to file. */
  examples: ReadonlyMap<string, string>;
  isRefusedAddress: IsRefusedAddress;
  checkMask: CheckMask | undefined;
}
