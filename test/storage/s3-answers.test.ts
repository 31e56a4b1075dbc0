/** What an S3 server, or whatever answers at a caller's endpoint, may say or fail to say: acted out by a local server. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents } from "../../src/net/agents.ts";
import { createBucket, type Bucket, type BucketOptions } from "../../src/storage/s3.ts";
import { NAMES, binary, collect } from "../support/buckets.ts";
import { refusal } from "../support/refusal.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A bucket at a server that answers so, and the requests that it has got. */
async function bucketAnswering(
  answer: Answer,
  changes: Partial<BucketOptions> = {},
): Promise<{ bucket: Bucket; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const bucket = createBucket({
    bucket: "pictures",
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: "AKIA", secretAccessKey: "secret" },
    names: NAMES,
    ...changes,
  });
  return { bucket, requests };
}

const failing =
  (status: number, body: string): Answer =>
  (_, response) =>
    response.writeHead(status, { "content-type": "application/xml" }).end(body);
const error = (code: string, rest = ""): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Told.</Message>${rest}</Error>`;

describe("an answer of S3", () => {
  it.each([
    [403, error("AccessDenied"), "THE_KEY: access to the bucket is denied."],
    [301, error("PermanentRedirect"), "THE_REGION: the bucket lies in another region."],
    [307, error("TemporaryRedirect"), "THE_REGION: the bucket lies in another region."],
    [
      400,
      error("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
      "THE_REGION: the bucket lies in another region, eu-west-1.",
    ],
    [
      400,
      error("AuthorizationHeaderMalformed", "<Region>see http://evil.example</Region>"),
      "THE_REGION: the bucket lies in another region.",
    ],
    [418, error("constructor"), "THE_ENDPOINT: the S3 server answered with status 418."],
    [404, "<html>Not here</html>", "THE_ENDPOINT: the S3 server answered with status 404."],
    [403, "", "THE_ENDPOINT: the S3 server answered with status 403."],
  ])("of %i %j is one sentence of ours", async (status, body, sentence) => {
    const { bucket } = await bucketAnswering(failing(status, body));
    await expect(bucket.put("a.png", binary(), "image/png")).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", sentence),
    );
  });

  it("that redirects is not followed", async () => {
    const { bucket, requests } = await bucketAnswering((_, response) =>
      response.writeHead(307, { location: "http://127.0.0.1:1/elsewhere" }).end(error("TemporaryRedirect")),
    );
    await expect(bucket.put("a.png", binary(), "image/png")).rejects.toThrow("another region");
    expect(requests).toHaveLength(1);
  });

  it("that asks for patience is followed by another try, and by no fourth", async () => {
    let count = 0;
    const recovering = await bucketAnswering((_, response) => {
      count += 1;
      if (count < 3) failing(503, error("SlowDown"))(_, response);
      else response.end();
    });
    await recovering.bucket.put("a.png", binary(), "image/png");
    expect(recovering.requests).toHaveLength(3);
    const busy = await bucketAnswering(failing(503, error("SlowDown")));
    await expect(busy.bucket.put("a.png", binary(), "image/png")).rejects.toThrow("status 503");
    expect(busy.requests).toHaveLength(3);
  });

  it("that continues on another page is read to the end", async () => {
    const page = (name: string, next?: string): string =>
      `<ListBucketResult><IsTruncated>${next !== undefined}</IsTruncated><Contents><Key>${name}</Key>` +
      `<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>` +
      `${next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`}</ListBucketResult>`;
    const { bucket } = await bucketAnswering(({ url = "" }, response) => {
      const token = new URL(url, "http://localhost").searchParams.get("continuation-token");
      response.setHeader("content-type", "application/xml");
      response.end(token === null ? page("first", "a/token=") : page(`after ${token}`));
    });
    const modifiedAt = new Date("2026-01-02T03:04:05Z");
    expect(await collect(bucket.list(""))).toEqual([
      { key: "first", modifiedAt },
      { key: "after a/token=", modifiedAt },
    ]);
  });
});

describe("a put", () => {
  it("is one request with its length and type, and with no newer checksum that a server may not know", async () => {
    const { bucket, requests } = await bucketAnswering((_, response) => response.end());
    await bucket.put("a.png", binary(3_000_000), "image/png");
    expect(requests).toHaveLength(1);
    const { headers } = requests[0]!;
    expect(headers["content-length"]).toBe(String(3_000_256));
    expect(headers["content-type"]).toBe("image/png");
    expect(Object.keys(headers).filter((name) => /checksum|expect|trailer/.test(name))).toEqual([]);
    expect(headers["x-amz-content-sha256"]).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([1000, 5_000_000])("of %i bytes goes through the guard that it was given", async (size) => {
    const { bucket, requests } = await bucketAnswering((_, response) => response.end(), {
      agents: createAgents(createAddressPolicy([])),
    });
    await expect(bucket.put("a.png", binary(size), "image/png")).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", "THE_ENDPOINT is not a public address."),
    );
    expect(requests).toEqual([]);
  });
});

describe("a server that means harm or is stuck", () => {
  const SLOW = "THE_ENDPOINT: the S3 server does not answer in time.";

  it("and never answers is given up on", async () => {
    const { bucket, requests } = await bucketAnswering(() => {}, { timeoutMs: 300 });
    await expect(bucket.put("a.png", binary(), "image/png")).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", SLOW),
    );
    expect(requests.length).toBeLessThanOrEqual(3);
  });

  it.each([
    ["an error", 400],
    ["a picture", 200],
  ])("and drips %s without end is given up on", async (_, status) => {
    const { bucket } = await bucketAnswering(
      (request, response) => {
        response.writeHead(status, { "content-type": "application/xml" });
        const timer = setInterval(() => response.write("<"), 20);
        request.socket.once("close", () => clearInterval(timer));
      },
      { timeoutMs: 400 },
    );
    await expect(bucket.get("a.png")).rejects.toEqual(refusal("STORAGE_UNAVAILABLE", SLOW));
  });

  it("and floods an error without end is cut off", async () => {
    let sent = 0;
    const chunk = Buffer.alloc(65_536, 0x20);
    const { bucket } = await bucketAnswering((_, response) => {
      response.writeHead(403, { "content-type": "application/xml" });
      const flood = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on("drain", flood);
      flood();
    });
    await expect(bucket.put("a.png", binary(), "image/png")).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", "THE_ENDPOINT: the server's answer is too large to be one of S3's."),
    );
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it("and ends the connection in the middle of a picture gives a sentence, and no half of it", async () => {
    const { bucket } = await bucketAnswering((_, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("half", () => response.destroy());
    });
    await expect(bucket.get("a.png")).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", "THE_ENDPOINT: the S3 server ended the connection."),
    );
  });
});
