import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createHttpClient } from "../../src/net/http-client.ts";
import { createAgents, type Agents } from "../../src/net/agents.ts";
import { putInBucket } from "../../src/storage/request-bucket.ts";
import { refusal } from "../support/refusal.ts";
import { certificate } from "./certificate.ts";
import { names, serve, serveTcp, serveTls } from "./servers.ts";

const refused = expect.objectContaining({ code: "ADDRESS_REFUSED" });
const refusedName = (name: string): unknown =>
  expect.objectContaining({
    code: "ADDRESS_REFUSED",
    message: `the address of ${name} is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it`,
  });

/** @returns the body of the answer */
function get({ httpAgent, httpsAgent }: Agents, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = address.startsWith("https:")
      ? httpsRequest(address, { agent: httpsAgent })
      : httpRequest(address, { agent: httpAgent });
    request.on("error", reject);
    request.on("response", async (response) => resolve((await response.toArray()).join("")));
    request.end();
  });
}

describe("guarded agents", () => {
  it("asks for a name on behalf of whoever sends a request", async () => {
    const asked: unknown[] = [];
    const agents = createAgents(createAddressPolicy([]), async (hostname, asker) => {
      asked.push([hostname, asker?.lane, asker?.signal?.aborted]);
      throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
    });
    const { post } = createHttpClient(agents);
    for (const scheme of ["http", "https"]) {
      const sent = post(`${scheme}://hooks.test/`, Buffer.from("{}"), {
        headers: {},
        timeoutMs: 60_000,
        lane: "key",
      });
      await expect(sent).rejects.toThrow("no such name");
    }
    const expected = ["hooks.test", "key", false];
    expect(asked).toEqual([expected, expected]);
  });

  it("connect to the address that was checked, and ask for the name once", async () => {
    const port = await serve((request, response) => {
      response.end(`${request.socket.localAddress} ${request.headers.host}`);
    });
    // Whoever rebinds the name answers a second question otherwise; 127.0.0.2 is not allowed, and nothing listens there.
    const rebound = names({ "pictures.test": [["127.0.0.1"], ["127.0.0.2"]] });
    const agents = createAgents(createAddressPolicy(["127.0.0.1"]), rebound.resolve);
    const body = await get(agents, `http://pictures.test:${port}/`);
    expect(body).toBe(`127.0.0.1 pictures.test:${port}`);
    expect(rebound.asked).toEqual(["pictures.test"]);
  });

  it("check anew at every connection", async () => {
    const port = await serve((_, response) => response.end("inside"));
    const rebound = names({ "pictures.test": [["127.0.0.1"], ["127.0.0.2"]] });
    const agents = createAgents(createAddressPolicy(["127.0.0.1"]), rebound.resolve);
    const address = `http://pictures.test:${port}/`;
    expect(await get(agents, address)).toBe("inside");
    await expect(get(agents, address)).rejects.toEqual(refusedName("pictures.test"));
  });

  it.each([
    ["loopback", ["127.0.0.1"]],
    ["a public address and loopback", ["8.8.8.8", "127.0.0.1"]],
    ["loopback and a public address", ["127.0.0.1", "8.8.8.8"]],
    ["a public address and a private one of IPv6", ["8.8.8.8", "fd00::1"]],
    ["mapped loopback", ["::ffff:127.0.0.1"]],
    ["loopback behind NAT64", ["64:ff9b::7f00:1"]],
    ["no address at all", []],
  ])("refuse a name that has %s, for http and https", async (_, addresses) => {
    let connections = 0;
    const port = await serveTcp(() => (connections += 1));
    const { resolve } = names({ "pictures.test": [addresses, addresses] });
    const agents = createAgents(createAddressPolicy([]), resolve);
    for (const scheme of ["http", "https"]) {
      const answer = get(agents, `${scheme}://pictures.test:${port}/`);
      await expect(answer).rejects.toEqual(refusedName("pictures.test"));
    }
    expect(connections).toBe(0);
  });

  it.each([
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "%31%32%37.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[fe80::1]",
    "169.254.169.254",
    "localhost",
  ])("refuse a literal and a well-known name: %s, for http and https", async (host) => {
    let connections = 0;
    const port = await serveTcp(() => (connections += 1));
    const agents = createAgents(createAddressPolicy([]));
    for (const scheme of ["http", "https"]) {
      await expect(get(agents, `${scheme}://${host}:${port}/`)).rejects.toEqual(refused);
    }
    expect(connections).toBe(0);
  });

  it("refuse what was connected to, should it be another address than was checked, before a byte is sent", async () => {
    const received: string[] = [];
    const port = await serveTcp((socket) =>
      socket.on("data", (bytes) => received.push(bytes.toString("hex"))),
    );
    for (const scheme of ["http", "https"]) {
      const judged: string[] = [];
      // Allows what the lookup says and nothing else, as if something came in between.
      const isAllowed = (address: string): boolean => judged.push(address) === 1;
      const { resolve } = names({ "pictures.test": [["127.0.0.1"]] });
      const answer = get(createAgents({ isAllowed }, resolve), `${scheme}://pictures.test:${port}/`);
      await expect(answer).rejects.toEqual(refusedName("pictures.test"));
      expect(judged).toEqual(["127.0.0.1", "127.0.0.1"]);
    }
    // A later connection: the server has seen what came before it.
    const last = connect(port, "127.0.0.1", () => last.end("\x01"));
    while (received.length === 0) await sleep(5);
    expect(received).toEqual(["01"]);
  });

  it("tell the server, and check its certificate, by the name and not by the address", async () => {
    const port = await serveTls((request, response) => {
      const { servername } = request.socket as unknown as { servername: string };
      response.end(`${servername} ${request.headers.host}`);
    });
    const { resolve } = names({ "pictures.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]] });
    const agents = createAgents(createAddressPolicy(["*.test"]), resolve);
    agents.httpsAgent.options.ca = certificate;
    expect(await get(agents, `https://pictures.test:${port}/`)).toBe(`pictures.test pictures.test:${port}`);
    await expect(get(agents, `https://other.test:${port}/`)).rejects.toEqual(
      expect.objectContaining({ code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
    );
  });

  it("distrust a certificate that nobody vouches for, on allowed hosts too", async () => {
    const port = await serveTls((_, response) => response.end());
    const { resolve } = names({ "pictures.test": [["127.0.0.1"]] });
    const agents = createAgents(createAddressPolicy(["pictures.test"]), resolve);
    await expect(get(agents, `https://pictures.test:${port}/`)).rejects.toEqual(
      expect.objectContaining({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
    );
  });

  it.each([
    ["the host", "pictures.test", true],
    ["the host and port", "pictures.test:PORT", true],
    ["the host and another port", "pictures.test:1", false],
    ["the address", "127.0.0.1", true],
    ["the network", "127.0.0.0/8", true],
    ["another network", "10.0.0.0/8", false],
    ["another host", "other.test", false],
  ])("go by an allow-list that names %s", async (_, entry, isAllowed) => {
    const port = await serve((_, response) => response.end("inside"));
    const { resolve } = names({ "pictures.test": [["127.0.0.1"]] });
    const agents = createAgents(createAddressPolicy([entry.replace("PORT", String(port))]), resolve);
    const outcome = await get(agents, `http://pictures.test:${port}/`).catch((error) => error.code);
    expect(outcome).toBe(isAllowed ? "inside" : "ADDRESS_REFUSED");
  });

  it("say what the resolver says of a name that is unknown", async () => {
    const agents = createAgents(createAddressPolicy([]), names({}).resolve);
    await expect(get(agents, "http://nowhere.test/")).rejects.toEqual(
      expect.objectContaining({ code: "ENOTFOUND" }),
    );
  });
});

describe("guarded agents in an S3 client", () => {
  const target = (endpointUrl: string): Parameters<typeof putInBucket>[0] => ({
    accessId: "id",
    accessSecret: "the secret",
    bucketName: "pictures",
    endpointUrl,
  });

  it("refuse an endpoint that is a private address, or a name of one", async () => {
    let connections = 0;
    const port = await serveTcp(() => (connections += 1));
    const { resolve } = names({ "s3.test": [["127.0.0.1"], ["127.0.0.1"]] });
    const agents = createAgents(createAddressPolicy([]), resolve);
    for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]", "s3.test"]) {
      await expect(
        putInBucket(target(`http://${host}:${port}`), Buffer.from("a"), "png", { agents, pausesMs: [] }),
      ).rejects.toEqual(refusal("BUCKET_UNAVAILABLE", /^s3Config.* not .*public/));
    }
    expect(connections).toBe(0);
  });

  it("connect to an endpoint that is allowed, at the address that was checked", async () => {
    const seen: string[] = [];
    const port = await serve((request, response) => {
      seen.push(`${request.method} ${request.headers.host}`);
      request.resume().on("end", () => response.end());
    });
    const rebound = names({ "s3.test": [["127.0.0.1"], ["127.0.0.2"]] });
    const agents = createAgents(createAddressPolicy(["127.0.0.1"]), rebound.resolve);
    const url = await putInBucket(target(`http://s3.test:${port}`), Buffer.from("a"), "png", {
      agents,
      pausesMs: [],
    });
    expect(url).toMatch(`http://s3.test:${port}/pictures/`);
    expect(seen).toEqual([`PUT s3.test:${port}`]);
    expect(rebound.asked).toEqual(["s3.test"]);
  });
});
