/** The service as it runs somewhere: its programs, its database, its storage, and the ways between them. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { compile } from "../tools/compile.mjs";
import { inRepository } from "../tools/paths.ts";
import type { S3Server } from "../tools/s3-server.ts";
import { freePort } from "../tools/server.ts";
import { type Link, openLink } from "../tools/link.ts";
import { type Cluster, createCluster } from "./postgres.ts";
import type { Programs } from "./programs.ts";
import { createUnit, type Unit } from "./unit.ts";

/** embedded: one process, PGlite and a folder. folder: PostgreSQL and a folder. scaled: PostgreSQL and a bucket. */
export type ArrangementKind = "embedded" | "folder" | "scaled";

export interface Shape {
  kind: ArrangementKind;
  servers: number;
  /** Programs with a worker and no server. */
  workers: number;
  /** Workers inside each server. */
  workersInServers: number;
  /** Whether its PostgreSQL is no other round's. */
  hasOwnDatabase: boolean;
  /** The network of the shipped checkpoint in place of an engine that only waits. */
  hasRealEngine: boolean;
}

/** What all rounds share: what is costly to start, and never harmed. */
export interface Shared {
  folder: string;
  /** PostgreSQL, where it is on this machine. */
  cluster: Cluster | undefined;
  bucket: S3Server;
}

export interface Arrangement {
  shape: Shape;
  servers: Unit[];
  workers: Unit[];
  /** Servers and workers. */
  units: Unit[];
  /** Each unit's way to the database and to the bucket, in the order of the units; none where there is no such way. */
  databaseLinks: Link[];
  storageLinks: Link[];
  /** The round's own PostgreSQL. */
  cluster: Cluster | undefined;
  /** RETOUCH_DATA_DIR of the server and of workers in the same folder. */
  dataFolder: string;
  /** The settings of a program beside them, with no faulty way to anything. */
  settings: Record<string, string>;
  close(): Promise<void>;
}

export interface ArrangementOptions {
  shape: Shape;
  shared: Shared;
  programs: Programs;
  /** The round's own folder. */
  folder: string;
  /** Unique among rounds: schema and prefix. */
  name: string;
  keys: readonly string[];
  settings: Record<string, string>;
  /** Of the round's own PostgreSQL, where it does not lie in the round's folder. */
  clusterFolder?: string | undefined;
  /** Variables of the environment for one program. */
  environmentOf?: ((program: string) => Record<string, string>) | undefined;
}

const stubEngine = pathToFileURL(inRepository("tools", "stub-engine.mjs")).href;

export async function createArrangement(options: ArrangementOptions): Promise<Arrangement> {
  const { shape, shared, programs, folder, name, keys, environmentOf = () => ({}) } = options;
  const dataFolder = path.join(folder, "data");
  await mkdir(dataFolder, { recursive: true });
  const cluster = shape.hasOwnDatabase
    ? await createCluster({
        programs,
        shared: shared.folder,
        folder: options.clusterFolder ?? path.join(folder, "postgres"),
        env: environmentOf("postgres"),
      })
    : undefined;
  const databaseUrl = shape.kind === "embedded" ? undefined : (cluster ?? shared.cluster)!.url;
  const databaseLinks: Link[] = [];
  const storageLinks: Link[] = [];
  const settings = {
    ...options.settings,
    RETOUCH_DATABASE_SCHEMA: name,
    RETOUCH_DATA_DIR: dataFolder,
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    ...(shape.kind === "scaled" ? bucketSettings(shared.bucket, name) : {}),
  };
  const program = await compile(inRepository("faults", "service-process.ts"));

  async function unit(role: "serve" | "worker", at: number): Promise<Unit> {
    const unitName = `${role === "serve" ? "server" : "worker"}-${at + 1}`;
    const own: Record<string, string> = {};
    if (databaseUrl !== undefined) {
      const link = await openLink(databaseUrl);
      databaseLinks.push(link);
      own["DATABASE_URL"] = link.url;
    }
    if (shape.kind === "scaled") {
      const link = await openLink(shared.bucket.endpoint);
      storageLinks.push(link);
      own["RETOUCH_S3_ENDPOINT"] = link.url;
    }
    const { PATH = "", HOME = "", TMPDIR = "" } = process.env;
    const port = role === "serve" ? await freePort() : undefined;
    return createUnit({
      programs,
      name: unitName,
      port,
      command: {
        command: process.execPath,
        args: [program, role, shape.hasRealEngine ? "real" : stubEngine, keys.join(",")],
        env: {
          PATH,
          HOME,
          ...(TMPDIR && { TMPDIR }),
          ORT_DISABLE_TELEMETRY: "1",
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
          ...settings,
          ...own,
          RETOUCH_WORKERS: String(role === "serve" ? shape.workersInServers : 1),
          ...(port === undefined ? {} : { RETOUCH_PORT: String(port) }),
          ...environmentOf(unitName),
        },
      },
    });
  }

  const servers: Unit[] = [];
  for (let at = 0; at < shape.servers; at += 1) servers.push(await unit("serve", at));
  const workers: Unit[] = [];
  for (let at = 0; at < shape.workers; at += 1) workers.push(await unit("worker", at));
  return {
    shape,
    servers,
    workers,
    units: [...servers, ...workers],
    databaseLinks,
    storageLinks,
    cluster,
    dataFolder,
    settings,
    async close() {
      await programs.killAll();
      await Promise.all([...databaseLinks, ...storageLinks].map((link) => link.close()));
    },
  };
}

const bucketSettings = (
  { bucket, endpoint, credentials }: S3Server,
  prefix: string,
): Record<string, string> => ({
  RETOUCH_S3_BUCKET: bucket,
  RETOUCH_S3_ENDPOINT: endpoint,
  RETOUCH_S3_ACCESS_KEY_ID: credentials.accessKeyId,
  RETOUCH_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  RETOUCH_S3_PREFIX: prefix,
});
