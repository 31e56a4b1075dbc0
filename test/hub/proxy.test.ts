/** Downloads through a proxy, as the variables of the environment ask for it. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { type Proxies } from "../../src/hub/proxy.ts";
import { pull } from "../../src/hub/pull.ts";
import { PIPELINES } from "../../src/pipelines/index.ts";
import { retouch } from "../cli/run.ts";
import { certificate } from "../net/certificate.ts";
import { serveTls } from "../net/servers.ts";
import { REPOSITORY, serveHub } from "../support/hub-server.ts";
import { startProxy } from "../support/proxy-server.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** How many of the hub's requests came, and what the proxy was asked for. */
async function pullThrough(
  proxiesAt: (address: string) => Proxies,
): Promise<{ came: number; asked: string[] }> {
  const hub = await serveHub();
  const proxy = await startProxy();
  await pull({
    families: PIPELINES,
    repository: { name: REPOSITORY, revision: "main" },
    endpoint: hub.endpoint,
    cacheFolder: path.join(await temporaryFolder(), "hub"),
    signal: new AbortController().signal,
    accept: async () => {},
    watch: { onListed() {}, onProgress() {}, onFile() {}, onWait() {} },
    proxies: proxiesAt(proxy.address),
  });
  return { came: hub.asked.length, asked: proxy.asked };
}

it("forwards every request for http, those for large files on other servers too", async () => {
  const { came, asked } = await pullThrough((http) => ({ http }));
  expect(asked).toHaveLength(came);
  expect(asked[0]).toMatch(/^GET http:\/\/127\.0\.0\.1:\d+\/api\/models\//);
});

it.each<[string, (address: string) => Proxies]>([
  ["for https alone", (https) => ({ https })],
  ["but not for this host", (http) => ({ http, none: "localhost,127.0.0.1" })],
  ["for no host", (http) => ({ http, none: "*" })],
])("asks nothing of a proxy that is there %s", async (_, proxiesAt) => {
  const { came, asked } = await pullThrough(proxiesAt);
  expect(asked).toEqual([]);
  expect(came).toBeGreaterThan(0);
});

it("tunnels https to a host that only the proxy knows, and says who refuses", async () => {
  const port = await serveTls((_, response) => {
    response.writeHead(404, { "x-error-code": "RepoNotFound" }).end();
  });
  const proxy = await startProxy({ "pictures.test:443": port });
  const folder = await temporaryFolder();
  const authority = path.join(folder, "authority.pem");
  await writeFile(authority, certificate);
  const env = {
    HF_ENDPOINT: "https://pictures.test",
    HF_HOME: folder,
    HTTPS_PROXY: proxy.address,
    https_proxy: "",
    NO_PROXY: "",
    no_proxy: "",
    NODE_EXTRA_CA_CERTS: authority,
  };
  const { code, stderr } = await retouch(["pull", "--quiet"], { env });
  expect(stderr).toBe(
    `retouch: There is no ${REPOSITORY} to be seen at https://pictures.test/${REPOSITORY}.\n`,
  );
  expect(code).toBe(1);
  expect(proxy.asked).toEqual(["CONNECT pictures.test:443"]);
});
