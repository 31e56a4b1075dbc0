/**
 * The Dockerfile, done line by line without Docker, and what comes of it, run with the rights of compose.yaml. The Node
 * is this machine's: the one that the Dockerfile names is tested by running the suite on it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { bytesOf, readCompose } from "../support/container/compose.ts";
import { type Container, startContainer } from "../support/container/container.ts";
import { buildImage, type Image } from "../support/container/image.ts";
import { noNamespacesHere } from "../support/container/sandbox.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import { startS3Server } from "../support/s3-server.ts";
import { freePort } from "../support/served.ts";
import { call, ENDPOINT, until } from "../support/service.ts";

const KEY = "key-from-a-file-of-its-own";
const BUILD_MS = 600_000;
/** The largest picture that is taken; turned, so that it has to be held whole. */
const SIDE = 8000;

interface Running extends Container {
  address: string;
}

describe("the image", () => {
  let folder: string;
  let image: Image;
  let volumes: string;
  let running: Running;
  const started: Container[] = [];

  /** A server with its key from a file. */
  async function start(environment: Readonly<Record<string, string>> = {}): Promise<Running> {
    const port = await freePort();
    const container = await run({
      RETOUCH_API_KEY_FILE: "/run/secrets/api_key",
      ...environment,
      RETOUCH_PORT: String(port),
    });
    await printed(
      container,
      environment["RETOUCH_WORKERS"] === "0" ? "Playground: " : "The engine is ready.",
    );
    return { ...container, address: `http://127.0.0.1:${port}` };
  }

  async function run(
    environment: Readonly<Record<string, string>>,
    command?: readonly string[],
  ): Promise<Container> {
    const container = await startContainer(image, {
      volumes,
      environment,
      mounts: [{ source: path.join(folder, "secrets"), target: "/run/secrets", isReadOnly: true }],
      ...(command && { command }),
    });
    started.push(container);
    return container;
  }

  async function printed(container: Container, text: string): Promise<void> {
    const all = async (): Promise<string> => container.stdout() + container.stderr();
    await until(all, (output) => output.includes(text), { patienceMs: 90_000 });
  }

  const edit = (source: Uint8Array, type: string, { address } = running): ReturnType<typeof call> =>
    call(`${address}/v2/${ENDPOINT}/runsync?wait=200000`, {
      key: KEY,
      body: {
        input: {
          prompt: "Make it night",
          image: `data:${type};base64,${Buffer.from(source).toString("base64")}`,
          size: "256*256",
          num_inference_steps: 2,
        },
      },
    });

  beforeEach(({ skip }) => {
    if (noNamespacesHere) skip(noNamespacesHere);
  });

  beforeAll(async () => {
    if (noNamespacesHere) return;
    folder = await mkdtemp(path.join(tmpdir(), "retouch-image-"));
    // Whoever the container's user is on this machine has to get through.
    await chmod(folder, 0o755);
    const npmCache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
    image = await buildImage(root, folder, npmCache);
    volumes = path.join(folder, "volumes");
    await mkdir(volumes);
    await mkdir(path.join(folder, "secrets"));
    await writeFile(path.join(folder, "secrets", "api_key"), `${KEY}\n`);
    // What is newer than this was written by the container.
    await writeFile(path.join(folder, "built"), "");
    running = await start();
  }, BUILD_MS);

  afterAll(async () => {
    if (folder === undefined) return;
    for (const container of started) container.kill();
    await Promise.all(started.map(({ ended }) => ended));
    await rm(folder, { recursive: true, force: true });
  });

  it("answers its own question for its health", async () => {
    const health = await running.exec(...image.healthcheck);
    expect(health).toEqual({ code: 0, stdout: "", stderr: "" });
    const elsewhere = await running.exec("env", `RETOUCH_PORT=${await freePort()}`, ...image.healthcheck);
    expect(elsewhere.code).toBe(1);
  });

  it("runs as a user without rights, who can write to /data and nowhere else", async () => {
    const { stdout, stderr } = await running.exec(
      "sh",
      "-c",
      "id -un; grep -hE 'CapEff|CapBnd|NoNewPrivs' /proc/1/status /proc/self/status; touch /data/new && rm /data/new; touch /app/new /tmp/new /home/new /etc/new /new /dev/new",
    );
    const rights = ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"];
    expect(stdout.trim().split("\n")).toEqual(["node", ...rights, ...rights]);
    expect(stderr.match(/Read-only file system/g)).toHaveLength(6);
    expect(stderr.trim().split("\n")).toHaveLength(6);
  });

  it("edits a picture, with a key from a file", async () => {
    const { status, body } = await edit(
      readFileSync(path.join(root, "examples", "bluebird.png")),
      "image/png",
    );
    expect([status, body.status, body.error]).toEqual([200, "COMPLETED", undefined]);
    const answer = await fetch(body.output.image_url as string);
    const { width, height, format } = await sharp(Buffer.from(await answer.arrayBuffer())).metadata();
    expect({ width, height, format }).toEqual({ width: 256, height: 256, format: "png" });
  });

  it("takes the largest picture, for which nothing has to be written elsewhere", async () => {
    const create = { width: SIDE, height: SIDE, channels: 3 as const, background: "#336699" };
    const source = await sharp({ create }).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const { body } = await edit(source, "image/jpeg");
    expect([body.status, body.error]).toEqual(["COMPLETED", undefined]);
  });

  it("has the playground, the reference of the API and the examples", async () => {
    for (const [page, type] of [
      ["/", "text/html"],
      ["/docs", "text/html"],
      ["/openapi.json", "application/json"],
      ["/examples/bluebird.png", "image/png"],
    ] as const) {
      const answer = await fetch(running.address + page);
      expect([page, answer.status, answer.headers.get("content-type")]).toEqual([
        page,
        200,
        expect.stringContaining(type),
      ]);
      await answer.arrayBuffer();
    }
  });

  it("manages keys beside the running server", async () => {
    const made = await running.exec("node", "bin/retouch.js", "keys", "create", "laptop", "--json");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const { key } = JSON.parse(made.stdout) as { key: string };
    const { status } = await call(`${running.address}/v2/${ENDPOINT}/health`, { key });
    expect(status).toBe(200);
  });

  it("keeps converted weights in its volume", async () => {
    const converted = await running.exec("node", "bin/retouch.js", "quantize", "--weights", "int8");
    expect([converted.code, converted.stderr]).toEqual([0, expect.any(String)]);
    const files = await readdir(path.join(volumes, "_data", "cache"), { recursive: true });
    expect(files.some((name) => name.startsWith("weights/"))).toBe(true);
  });

  it("stays within the limits of compose.yaml", async () => {
    const { services } = await readCompose("compose.yaml");
    const { mem_limit: memory, pids_limit: tasks } = services["retouch"]!;
    const statuses = await Promise.all(
      running.processes().map((pid) => readFile(`/proc/${pid}/status`, "utf8")),
    );
    const total = (field: string): number =>
      statuses.reduce((sum, text) => sum + Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)![1]), 0);
    expect(statuses.length).toBeGreaterThan(1);
    // Peaks that need not have come together, so that this is the upper bound.
    expect(total("VmHWM") * 1024).toBeLessThan(bytesOf(memory!));
    expect(total("Threads")).toBeLessThan(tasks!);
  });

  it("ends in order on SIGTERM, and a next one on the same volume has its jobs and keys", async () => {
    const { body: job } = await call(`${running.address}/v2/${ENDPOINT}/run`, {
      key: KEY,
      body: {
        input: {
          prompt: "Make it night",
          image: `${running.address}/examples/fox.png`,
          num_inference_steps: 1,
        },
      },
    });
    const { code, stderr } = await running.stop("SIGTERM");
    expect(code).toBe(128 + 15);
    expect(stderr).not.toMatch(/EROFS|EACCES|read-only|"level":"(error|fatal)"/i);
    expect(await readdir(path.join(volumes, "_data"))).not.toContain("lock");
    running = await start();
    const { status } = await call(`${running.address}/v2/${ENDPOINT}/status/${job.id}`, { key: KEY });
    expect(status).toBe(200);
  });

  it("edits as the scaled form does, with database and bucket by secrets from files", async ({ skip }) => {
    if (postgresMissing) skip(postgresMissing);
    const { services } = await readCompose("compose.scaled.yaml", { SECRETS_DIR: "./secrets" });
    const bucket = await startS3Server();
    onTestFinished(() => bucket.close());
    const schema = newSchema();
    await writeFile(path.join(folder, "secrets", "database_url"), `${databaseUrl}\n`);
    await writeFile(
      path.join(folder, "secrets", "s3_secret_access_key"),
      `${bucket.credentials.secretAccessKey}\n`,
    );
    // What stands for this machine's servers instead of the other two containers.
    const here = {
      RETOUCH_S3_ENDPOINT: bucket.endpoint,
      RETOUCH_S3_BUCKET: bucket.bucket,
      RETOUCH_S3_ACCESS_KEY_ID: bucket.credentials.accessKeyId,
      RETOUCH_DATABASE_SCHEMA: schema,
    };
    const api = await start({ ...services["api"]!.environment, ...here });
    const worker = await run({ ...services["worker"]!.environment, ...here }, [
      ...services["worker"]!.command!,
    ]);
    try {
      const source = await readFile(path.join(root, "examples", "bluebird.png"));
      const { body } = await edit(source, "image/png", api);
      expect([body.status, body.error, worker.stderr()]).toEqual([
        "COMPLETED",
        undefined,
        expect.any(String),
      ]);
      const answer = await fetch(body.output.image_url as string);
      expect((await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).width).toBe(256);
    } finally {
      const ends = await Promise.all([api.stop("SIGTERM"), worker.stop("SIGTERM")]);
      await dropSchema(schema);
      expect(ends.map(({ code }) => code)).toEqual([128 + 15, 128 + 15]);
    }
  });

  it("has written nothing outside its volume", async () => {
    const written = execFileSync("find", [image.root, "-newer", path.join(folder, "built")], {
      encoding: "utf8",
    });
    expect(written).toBe("");
    expect((await stat(path.join(volumes, "_data"))).mode & 0o777).toBe(0o700);
  });
});
