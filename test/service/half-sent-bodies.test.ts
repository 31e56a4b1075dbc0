/** The service as a process of its own, and a client that sends half of many large bodies. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { encodePicture } from "../../src/images/encode.ts";
import { retouch } from "../cli/run.ts";
import { serve } from "../support/served.ts";
import { ENDPOINT } from "../support/service.ts";

const MIB = 2 ** 20;
const BODIES = 60;
const BODY_BYTES = 19 * MIB;
const SENT_BYTES = 9.5 * MIB;
const KEY = "key-of-the-careless-client";
/** Longer than a body may pause, and all that comes after it. */
const PATIENCE_MS = 60_000;

/** Resident memory of a process, in bytes. */
const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;

interface HalfSent {
  /** The status of its answer, once there is one. */
  status?: string;
  isClosed: boolean;
}

function sendHalf(port: number): HalfSent {
  const sent: HalfSent = { isClosed: false };
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => (sent.status ??= chunk.toString("latin1", 9, 12)));
  socket.on("close", () => (sent.isClosed = true));
  socket.write(
    `POST /v2/${ENDPOINT}/runsync HTTP/1.1\r\nHost: a\r\nAuthorization: ${KEY}\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`,
  );
  socket.write('{"input":{"prompt":"now","image":"');
  socket.write(Buffer.alloc(SENT_BYTES, "A"));
  return sent;
}

it("holds less than 200 MB for 60 half-sent bodies of 19 MB, serves others meanwhile, and ends them", async ({
  skip,
}) => {
  if (!existsSync("/proc/self/status")) skip("no /proc here that tells the memory of a process");
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  const settings = { RETOUCH_DATA_DIR: folder, RETOUCH_API_KEY: KEY, RETOUCH_WORKERS: "0" };
  const service = await serve(settings);
  onTestFinished(async () => {
    await service.end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  });
  const made = await retouch(["keys", "create", "other", "--json"], { env: settings });
  const { key: otherKey } = JSON.parse(made.stdout.toString()) as { key: string };
  const grey = { width: 256, height: 256, data: new Uint8Array(256 * 256 * 3).fill(128) };
  const image = `data:image/png;base64,${Buffer.from(await encodePicture(grey, "png")).toString("base64")}`;
  const edit = { key: otherKey, body: { input: { prompt: "now", image } } };
  expect((await service.call("/run", edit)).status).toBe(200);

  const before = memoryOf(service.pid);
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, memoryOf(service.pid))), 20);
  onTestFinished(() => clearInterval(watch));
  const bodies = Array.from({ length: BODIES }, () => sendHalf(Number(new URL(service.address).port)));
  const end = performance.now() + PATIENCE_MS;
  while (bodies.some(({ isClosed }) => !isClosed) && performance.now() < end) {
    expect((await service.call("/run", edit)).status).toBe(200);
    await pause(1000);
  }
  clearInterval(watch);
  expect(bodies.filter(({ isClosed }) => !isClosed)).toEqual([]);
  const statuses = bodies.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set(["408", "503"]));
  expect((peak - before) / MIB).toBeLessThan(200);
});
