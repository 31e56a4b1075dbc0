/** A service whose own storage goes away and comes back: no job fails, and everybody who asks is told. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { createEngines, createWorkers } from "../../src/service/work.ts";
import { openStorage } from "../../src/storage/open.ts";
import { storageOptions } from "../../src/service/data.ts";
import { copyEmptyDatabase } from "../support/embedded.ts";
import { type Fault, FAULTS, type FaultyS3, startFaultyS3 } from "../support/faulty-s3.ts";
import { startS3Server, type S3Server } from "../support/s3-server.ts";
import { startTestService, stubEngine, type TestService, until } from "../support/service.ts";
import { recordedLog, serve } from "../worker/samples.ts";

const AWAY = { error: "The service is unavailable at the moment; try again later." };
const NOT_READY = { error: "The storage of images does not work; the log says why." };

let s3: S3Server;
let inline: string;
beforeAll(async () => {
  s3 = await startS3Server();
  const grey = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(128) };
  inline = `data:image/png;base64,${Buffer.from(await encodePicture(grey, "png")).toString("base64")}`;
});
afterAll(() => s3?.close());

const settingsOf = (endpoint: string): Record<string, string> => ({
  RETOUCH_S3_BUCKET: s3.bucket,
  RETOUCH_S3_ENDPOINT: endpoint,
  RETOUCH_S3_ACCESS_KEY_ID: s3.credentials.accessKeyId,
  RETOUCH_S3_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
});

async function start(settings: Record<string, string>) {
  const recorded = recordedLog();
  const service = await startTestService({ database: "PGlite", settings, log: recorded.log });
  onTestFinished(() => service.close());
  return { service, ...recorded };
}

async function submit(service: TestService, count: number, input: object = {}): Promise<string[]> {
  const body = { input: { prompt: "sleep 40", image: inline, size: "256*256", ...input } };
  const answers = await Promise.all(Array.from({ length: count }, () => service.call("/run", { body })));
  return answers.map(({ status, body: { id } }) => (expect(status).toBe(200), id as string));
}

async function statuses(service: TestService, ids: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const id of ids) {
    const { body } = await service.call(`/status/${id}`);
    counts[body.status] = (counts[body.status] ?? 0) + 1;
  }
  return counts;
}

const untilCompleted = (service: TestService, ids: readonly string[]): Promise<unknown> =>
  until(
    () => statuses(service, ids),
    (counts) => (counts["IN_QUEUE"] ?? 0) + (counts["IN_PROGRESS"] ?? 0) === 0,
    { patienceMs: 90_000 },
  );
const workersOf = async (service: TestService) => (await service.call("/health")).body.workers;
const readiness = async ({ address }: TestService): Promise<[number, unknown]> => {
  const answer = await fetch(`${address}/readyz`);
  return [answer.status, await answer.json()];
};

/** Another worker of the same service, whose way to S3 is its own. */
async function addWorker({ service }: TestService, endpoint: string) {
  const recorded = recordedLog();
  const config = readConfig({
    ...settingsOf(endpoint),
    RETOUCH_SHUTDOWN_DEADLINE: "0ms",
    RETOUCH_WORKERS: "1",
  });
  const { context } = service.data;
  const storage = await openStorage(storageOptions(config));
  const { log } = recorded;
  const engines = await createEngines({ config, log, engineEntry: stubEngine });
  const [worker] = createWorkers({ config, context, storage, log }, engines);
  worker!.start();
  onTestFinished(() => worker!.stop());
  return { worker: worker!, ...recorded };
}

describe("our own bucket with the temporary credentials of a role", () => {
  it("has results that outlive them: at an address of this server, signed with no key of S3", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", s3.credentials.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3.credentials.secretAccessKey);
    vi.stubEnv("AWS_SESSION_TOKEN", "a-token-that-ends");
    onTestFinished(() => void vi.unstubAllEnvs());
    const { service } = await start({ RETOUCH_S3_BUCKET: s3.bucket, RETOUCH_S3_ENDPOINT: s3.endpoint });
    const ids = await submit(service, 1);
    await untilCompleted(service, ids);
    const { body } = await service.call(`/status/${ids[0]}`);
    const address = new URL(body.output.image_url);
    expect([address.origin, address.pathname]).toEqual([
      service.address,
      expect.stringMatching(/^\/files\/[A-Za-z0-9_-]{32}\.\w+$/),
    ]);
    expect([...address.searchParams.keys()].toSorted()).toEqual(["expires", "signature"]);
    expect(address.href).not.toMatch(/amz|token/i);
    // 7 days, give or take the time since it was signed.
    const days = (Number(address.searchParams.get("expires")) - Date.now() / 1000) / 86_400;
    expect(days).toBeGreaterThan(6.99);
    expect((await fetch(address)).status).toBe(200);
  });
});

describe("one of two workers without S3", () => {
  let way: FaultyS3;
  beforeAll(async () => void (way = await startFaultyS3(s3.endpoint)));
  afterAll(() => way?.close());

  it("leaves all jobs to the other one, is unhealthy, and healthy again when the way is open", async () => {
    await way.set(undefined);
    const { service } = await start(settingsOf(s3.endpoint));
    const { worker, said } = await addWorker(service, way.endpoint);
    await until(
      () => workersOf(service),
      ({ idle }) => idle === 2,
    );
    await way.set("a refused connection");
    const ids = await submit(service, 30);
    await untilCompleted(service, ids);
    expect(await statuses(service, ids)).toEqual({ COMPLETED: 30 });
    for (const id of ids) {
      const { body } = await service.call(`/status/${id}`);
      expect(body.workerId).not.toBe(worker.id);
    }
    expect(await workersOf(service)).toMatchObject({ ready: 1, unhealthy: 1 });
    expect(worker.status()).toMatchObject({ status: "unhealthy", fault: "storage" });
    // The other one can edit.
    expect(await readiness(service)).toEqual([200, { status: "ready" }]);
    await way.set(undefined);
    await until(
      () => workersOf(service),
      ({ idle, unhealthy }) => idle === 2 && unhealthy === 0,
      { patienceMs: 60_000 },
    );
    expect(said().filter((sentence) => /storage/.test(String(sentence)))).toEqual([
      "The storage does not work; this worker takes no jobs.",
      "The storage works again.",
    ]);
  });
});

describe("a server whose only worker is elsewhere, without S3", () => {
  it("says on /readyz that it is the storage", async () => {
    const way = await startFaultyS3(s3.endpoint);
    onTestFinished(() => way.close());
    const { service } = await start({ ...settingsOf(s3.endpoint), RETOUCH_WORKERS: "0" });
    expect(await readiness(service)).toEqual([503, { error: "No worker is ready yet." }]);
    await addWorker(service, way.endpoint);
    await until(
      () => readiness(service),
      ([status]) => status === 200,
    );
    await way.set("a refused connection");
    await submit(service, 1);
    await until(
      () => readiness(service),
      ([status]) => status === 503,
    );
    expect(await readiness(service)).toEqual([503, NOT_READY]);
    await way.set(undefined);
    await until(
      () => readiness(service),
      ([status]) => status === 200,
      { patienceMs: 60_000 },
    );
  });
});

describe("S3 that fails by", () => {
  let way: FaultyS3;
  beforeAll(async () => void (way = await startFaultyS3(s3.endpoint)));
  afterAll(() => way?.close());

  it.each(FAULTS)(
    "%s costs no job, no attempt and no download, and everybody is told",
    async (fault: Fault) => {
      await way.set(undefined);
      const { service, said } = await start({ ...settingsOf(way.endpoint), RETOUCH_MAX_ATTEMPTS: "1" });
      const source = await serve((_, answer) => answer.end(Buffer.from(inline.split(",")[1]!, "base64")));
      const [finished] = await submit(service, 1);
      await untilCompleted(service, [finished!]);
      const { body: done } = await service.call(`/status/${finished}`);
      // One whose result has to wait, and others that wait for their turn.
      const ids = await submit(service, 1, { prompt: "sleep 1500" });
      ids.push(...(await submit(service, 2)));
      await until(
        () => statuses(service, ids),
        (counts) => counts["IN_PROGRESS"] === 1,
      );
      await way.set(fault);
      ids.push(...(await submit(service, 2, { image: `${source}/a.png` })));
      // Silence is noticed only after the S3 client's time.
      const isSilent = fault === "silence";
      if (!isSilent) {
        const file = await fetch(done.output.image_url);
        expect([file.status, file.headers.get("retry-after"), file.headers.get("cache-control")]).toEqual([
          503,
          "5",
          "no-store",
        ]);
        expect(await file.json()).toEqual(AWAY);
        const refused = await service.call("/run", { body: { input: { prompt: "p", image: inline } } });
        expect([refused.status, refused.headers.get("retry-after"), refused.body]).toEqual([503, "5", AWAY]);
        await until(
          () => readiness(service),
          ([status]) => status === 503,
        );
        expect(await readiness(service)).toEqual([503, NOT_READY]);
        await until(
          () => workersOf(service),
          ({ unhealthy, ready }) => unhealthy === 1 && ready === 0,
        );
        // The server asks again before it believes it, which takes as long as the S3 client's own attempts.
        await until(
          async () => said(),
          (sentences) => sentences.includes("The storage does not work."),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const counts = await statuses(service, ids);
      expect((counts["IN_QUEUE"] ?? 0) + (counts["IN_PROGRESS"] ?? 0)).toBe(5);
      await way.set(undefined);
      await untilCompleted(service, ids);
      expect(await statuses(service, ids)).toEqual({ COMPLETED: 5 });
      expect(
        Buffer.from(await (await fetch(done.output.image_url)).arrayBuffer()).byteLength,
      ).toBeGreaterThan(0);
      await until(
        () => readiness(service),
        ([status]) => status === 200,
      );
      const about = said().filter((sentence) =>
        /^The storage (does not work|works again)/.test(String(sentence)),
      );
      if (!isSilent) {
        expect(about.toSorted()).toEqual([
          "The storage does not work.",
          "The storage does not work; this worker takes no jobs.",
          "The storage works again.",
          "The storage works again.",
        ]);
      }
    },
  );
});

interface DiskFault {
  begin(files: string): Promise<void>;
  end(files: string): Promise<void>;
  /** What a submission with an image is answered. */
  answer: [number, string, object];
}

const mount = (...args: string[]): void => void execFileSync("mount", args, { stdio: "ignore" });
const UNAVAILABLE: DiskFault["answer"] = [503, "5", AWAY];

const DISK_FAULTS: Readonly<Record<string, DiskFault>> = {
  "is full": {
    begin: (files) => writeFile(path.join(files, "filler"), new Uint8Array(4 * 2 ** 20)).catch(() => {}),
    end: (files) => rm(path.join(files, "filler")),
    answer: [507, "60", { error: "The image cannot be stored: the disk is full." }],
  },
  "has become read-only": {
    begin: async (files) => mount("-o", "remount,ro", files),
    end: async (files) => mount("-o", "remount,rw", files),
    answer: UNAVAILABLE,
  },
  "is not mounted any more": {
    // In the place of the mounted folders is an empty one.
    begin: async (files) => mount("-t", "tmpfs", "tmpfs", files),
    end: async (files) => void execFileSync("umount", [files]),
    answer: UNAVAILABLE,
  },
};

describe("a disk that", () => {
  it.for(Object.keys(DISK_FAULTS))("%s costs no job and leaves no file behind", async (name, { skip }) => {
    const { begin, end, answer } = DISK_FAULTS[name]!;
    const folder = await mkdtemp(path.join(tmpdir(), "retouch-disk-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const files = path.join(folder, "files");
    await copyEmptyDatabase(path.join(folder, "database"));
    await mkdir(files);
    try {
      mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", files);
    } catch {
      return skip("mounting a file system needs root");
    }
    onTestFinished(() => void execFileSync("umount", [files]));
    const { service } = await start({ RETOUCH_DATA_DIR: folder, RETOUCH_MIN_FREE_DISK: "0" });
    const ids = await submit(service, 30);
    await until(
      () => statuses(service, ids),
      ({ COMPLETED = 0 }) => COMPLETED >= 3,
    );
    await begin(files);
    await until(
      () => workersOf(service),
      ({ unhealthy }) => unhealthy === 1,
    );
    const call = () => service.call("/run", { body: { input: { prompt: "p", image: inline } } });
    let refused = await call();
    // A source that is deleted leaves room for another one, of three that may be left.
    while (refused.status === 200 && ids.length < 33) {
      ids.push(refused.body.id);
      refused = await call();
    }
    expect([refused.status, refused.headers.get("retry-after"), refused.body]).toEqual(answer);
    await until(
      () => readiness(service),
      ([status]) => status === 503,
    );
    expect(await readiness(service)).toEqual([503, NOT_READY]);
    await end(files);
    await untilCompleted(service, ids);
    expect(await statuses(service, ids)).toEqual({ COMPLETED: ids.length });
    // A source that could not be deleted is tried again after a minute, as long as its row is there.
    const { database } = service.service.data;
    await until(
      async () => {
        const rows = await database.query<{ storage_key: string }>(
          `select storage_key from "${service.schema}".pictures`,
        );
        const known = new Set(rows.map(({ storage_key: key }) => key));
        const left = await readdir(path.join(files, "inputs"));
        return left.filter((name) => !known.has(`inputs/${name}`));
      },
      (orphans) => orphans.length === 0,
      { patienceMs: 45_000 },
    );
    expect(await readdir(path.join(files, "outputs"))).toHaveLength(ids.length);
  });
});
