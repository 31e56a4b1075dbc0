/** Webhooks over real connections: what receivers of one key do delays those of no other. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createWebhooks, type Webhooks } from "../../src/jobs/webhooks.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents } from "../../src/net/agents.ts";
import { connectionFailure } from "../../src/net/failures.ts";
import { createHttpClient } from "../../src/net/http-client.ts";
import { describeOnDatabases, resultOf } from "../support/jobs.ts";
import { recordedLog } from "../worker/samples.ts";

const HANGING = 16;

describeOnDatabases("webhooks and their receivers", (bench) => {
  let webhooks: Webhooks;
  let test = 0;
  /** What waits of a key is counted once a second, and these tests are faster. */
  const keyOf = (name: string): string => `key-${name}-${test}`;
  let open: (Server | TcpServer)[];
  let sockets: Socket[];
  beforeEach(() => {
    [open, sockets] = [[], []];
    test += 1;
    webhooks = createWebhooks({
      context: bench.context,
      settings: { webhookTries: 3, webhookDelayMs: 60_000, webhookBackoff: 1, webhookTimeoutMs: 60_000 },
      post: createHttpClient(createAgents(createAddressPolicy(["127.0.0.0/8"]))).post,
      render: async ({ id }) => ({ id }),
      failureOf: connectionFailure,
      log: recordedLog().log,
      stopMs: 0,
    });
    webhooks.start();
  });
  afterEach(async () => {
    await webhooks.stop();
    for (const socket of sockets) socket.destroy();
    for (const server of open) server.close();
  });

  const listen = async <Kind extends Server | TcpServer>(server: Kind): Promise<string> => {
    open.push(server);
    server.on("connection", (socket: Socket) => sockets.push(socket.on("error", () => {})));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  };
  const http = (answer: (response: ServerResponse) => void): Promise<string> =>
    listen(createServer((_, response) => answer(response)));
  const ended = async (keyId: string, webhook: string): Promise<void> => {
    const { claimed } = await bench.start("worker-a", { webhook, keyId });
    await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
  };
  const statuses = async (keyId: string): Promise<string[]> =>
    (await bench.jobs.deliveries(keyId, { offset: 0, limit: 100 })).map(
      ({ status, attempts }) => `${status} ${attempts}`,
    );

  it.each<[string, "http" | "https", () => Promise<string>]>([
    ["accept a webhook and never answer", "http", () => http(() => {})],
    ["accept a connection and say nothing, which TLS waits for", "https", () => listen(createTcpServer())],
    [
      "answer without an end to their headers",
      "http",
      () => http(({ socket }) => socket!.write("HTTP/1.1 200 OK\r\nA: ")),
    ],
  ])("delay no other key where %s", async (_, scheme, receiver) => {
    const addresses: string[] = [];
    for (let count = 0; count < HANGING; count += 1) addresses.push(`${scheme}://${await receiver()}/`);
    for (const key of [keyOf("one"), keyOf("two")])
      for (const address of addresses) await ended(key, address);
    await expect.poll(() => sockets.length).toBe(2 * HANGING);
    const good = await http((response) => response.end());
    await ended(keyOf("three"), `http://${good}/`);
    await expect.poll(() => statuses(keyOf("three"))).toEqual(["delivered 1"]);
    // Nothing had to end for that: all others still hang.
    for (const key of [keyOf("one"), keyOf("two")]) {
      expect(await statuses(key)).toEqual(Array(HANGING).fill("pending 1"));
    }
    expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeGreaterThanOrEqual(2 * HANGING);
  });

  it.each<[string, () => Promise<string>]>([
    ["end the connection", () => http(({ socket }) => socket!.resetAndDestroy())],
    ["answer with 500", () => http((response) => response.writeHead(500).end())],
    ["send another one on", () => http((response) => response.writeHead(302, { location: "/" }).end())],
  ])("are tried again later where receivers %s, and others go on", async (_, receiver) => {
    const bad = await receiver();
    for (let count = 0; count < HANGING; count += 1) await ended(keyOf("one"), `http://${bad}/`);
    const good = await http((response) => response.end());
    await ended(keyOf("two"), `http://${good}/`);
    await expect.poll(() => statuses(keyOf("two"))).toEqual(["delivered 1"]);
    await expect.poll(() => statuses(keyOf("one"))).toEqual(Array(HANGING).fill("pending 1"));
    const reasons = (await bench.jobs.deliveries(keyOf("one"), { offset: 0, limit: 100 })).map(
      ({ lastError }) => lastError,
    );
    expect(new Set(reasons).size).toBe(1);
    expect(reasons[0]).toMatch(
      /^The receiver (could not be reached: the host ended the connection|answered with status \d+)\.$/,
    );
  });
});
