/** Submissions that there is no room for: refused before anything is stored, and nothing else with them. */
import { expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { KEY, startServer, type TestServer } from "./server.ts";

const PICTURE = `data:image/png;base64,${Buffer.alloc(3000, 7).toString("base64")}`;
const body = { input: { prompt: "a red hat", image: PICTURE } };
const FULL = "The disk of this server is nearly full; try again later.";

/** A server whose disk takes no more than `bytes.left`. */
async function withDisk(left = 0): Promise<TestServer & { bytes: { left: number } }> {
  const bytes = { left };
  const freeSpace = {
    async admit(count: number) {
      if (bytes.left <= count) throw new RetouchError("DISK_FULL", FULL);
    },
  };
  return { ...(await startServer({}, { freeSpace })), bytes };
}

it.each([
  ["/run", body],
  ["/runsync", body],
  ["/run", { input: { prompt: "a red hat", image: "https://pictures.example/bird.png" } }],
  ["/retry/some-job", undefined],
])("refuses %s with 507 and one sentence while the disk is nearly full", async (route, sent) => {
  const { call, jobs, storage } = await withDisk();
  const response = await call("POST", route, { body: sent });
  expect([response.statusCode, response.json()]).toEqual([507, { error: FULL }]);
  expect(response.headers["retry-after"]).toBe("60");
  expect([jobs.submitted, storage.objects.size]).toEqual([[], 0]);
});

it("refuses OpenAI's form of an edit in OpenAI's form, not to be sent again", async () => {
  const { inject } = await withDisk();
  const response = await inject({
    method: "POST",
    url: "/v1/images/edits",
    headers: { authorization: KEY },
    payload: { prompt: "a red hat", images: [{ image_url: PICTURE }] },
  });
  expect([response.statusCode, response.headers["x-should-retry"], response.json()]).toEqual([
    507,
    "false",
    { error: { message: FULL, type: "server_error", param: null, code: null } },
  ]);
});

it("looks at a picture's size before it is stored", async () => {
  const { call, storage } = await withDisk(3000);
  expect((await call("POST", "/run", { body })).statusCode).toBe(507);
  expect(storage.objects.size).toBe(0);
});

it("answers everything else as ever", async () => {
  const { call, submit, bytes, inject } = await withDisk(10_000);
  const id = await submit();
  bytes.left = 0;
  for (const [method, route] of [
    ["GET", `/status/${id}`],
    ["GET", "/requests"],
    ["GET", "/health"],
    ["POST", `/cancel/${id}`],
    ["POST", "/purge-queue"],
  ] as const) {
    expect([route, (await call(method, route)).statusCode]).toEqual([route, 200]);
  }
  expect((await inject({ method: "GET", url: "/healthz" })).statusCode).toBe(200);
});

it("finds the job of a repeated submission although there is no room, and stores nothing for it", async () => {
  const { call, bytes, storage } = await withDisk(10_000);
  const headers = { "idempotency-key": "order-1" };
  const first = (await call("POST", "/run", { body, headers })).json<{ id: string }>();
  bytes.left = 0;
  const again = await call("POST", "/run", { body, headers });
  expect([again.statusCode, again.json()]).toEqual([200, first]);
  expect(storage.objects.size).toBe(1);
});

it("refuses what would be too much for the key with 507", async () => {
  const { call, jobs, storage } = await startServer();
  jobs.bytesLeft = 2999;
  const response = await call("POST", "/run", { body });
  expect([response.statusCode, response.json()]).toEqual([507, { error: "No more bytes." }]);
  expect(storage.objects.size).toBe(0);
});

it("counts the bytes of a stored picture with its job", async () => {
  const { call, jobs, submit } = await startServer();
  await call("POST", "/run", { body });
  await submit();
  expect(jobs.submitted.map(({ sources }) => sources.map(({ bytes }) => bytes))).toEqual([[3000], []]);
});

/** A PNG that states a size, and has nothing else. */
function header(width: number, height: number): string {
  const bytes = Buffer.alloc(64);
  Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1").copy(bytes);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return `data:image/png;base64,${bytes.toString("base64")}`;
}

const large = { prompt: "a red hat", image: header(8000, 8000), size: "source" };
const ofOne = "size: a result of 8000 x 8000 pixels takes about 180 MB, for which there is no room: ";
const ofAll = "size: 8 results of 8000 x 8000 pixels take about 1.5 GB, for which there is no room: ";

it.each<[object, number, string | undefined]>([
  [{}, 179e6, ofOne],
  [{}, 181e6, undefined],
  [{ num_images: 8 }, 1.5e9, ofAll],
  [{ num_images: 8, output_format: "jpeg" }, 5.1e8, undefined],
  [{ size: undefined, num_images: 8 }, 20e6, undefined],
  [{ size: "1536*1536", num_images: 8 }, 20e6, "size: 8 results of 1536 x 1536 pixels take about 44.6 MB"],
  // Its job refuses the image.
  [{ image: header(60_000, 60_000) }, 1e6, undefined],
])("refuses large results before they are queued: %j with room for %d", async (changes, left, sentence) => {
  const { call, jobs, storage } = await withDisk(left);
  const response = await call("POST", "/run", { body: { input: { ...large, ...changes } } });
  if (sentence === undefined) return expect([response.statusCode, jobs.submitted.length]).toEqual([200, 1]);
  expect(response.statusCode).toBe(507);
  const { error } = response.json<{ error: string }>();
  expect(error.startsWith(sentence) && error.endsWith(FULL)).toBe(true);
  expect([jobs.submitted, storage.objects.size]).toEqual([[], 0]);
});

it("counts large results for the quota of a key, and not those that go into the caller's bucket", async () => {
  const server = await startServer();
  server.jobs.bytesLeft = 1e6;
  const refused = await server.call("POST", "/runsync", { body: { input: large } });
  expect([refused.statusCode, refused.json()]).toEqual([507, { error: `${ofOne}No more bytes.` }]);
  const s3Config = {
    accessId: "id",
    accessSecret: "secret",
    bucketName: "pictures",
    endpointUrl: "https://s3.example",
  };
  expect((await server.call("POST", "/run", { body: { input: large, s3Config } })).statusCode).toBe(200);
});

it("refuses large results on OpenAI's route as well", async () => {
  const { inject } = await withDisk(1e6);
  const response = await inject({
    method: "POST",
    url: "/v1/images/edits",
    headers: { authorization: KEY },
    payload: {
      prompt: "a red hat",
      images: [{ image_url: large.image }],
      size: "source",
      response_format: "url",
      n: 8,
    },
  });
  expect([response.statusCode, response.json<{ error: { message: string } }>().error.message]).toEqual([
    507,
    ofAll + FULL,
  ]);
});
