/** The configurations of docs/guides, checked and run by the programs they are for, where these are installed. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { ENDPOINT, INPUT, KEY, startServer, type TestServer } from "../server/server.ts";
import { freePort } from "../support/served.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { pageOf } from "./pages.ts";

const blockOf = (page: string, language: string): string =>
  new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "m").exec(pageOf(`docs/guides/${page}.md`))![1]!;
const isHere = (program: string, ...args: string[]): boolean => spawnSync(program, args).error === undefined;
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

/** A proxy as a process of its own, once it answers at `port`. */
async function startProxy(program: string, args: string[], port: number): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => (said += text.toString()));
  ends.push(() => child.kill("SIGKILL"));
  const answers = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
  await expect.poll(answers, { timeout: 20_000, message: () => said } as object).toBe(true);
}

/** What proxies get wrong. */
async function expectService(port: number, { jobs, submit }: TestServer): Promise<void> {
  const send = (route: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${route}`, { ...init, headers: { authorization: KEY } });
  const picture = `data:image/png;base64,${"A".repeat(15 * 2 ** 20)}`;
  const large = await send(`${ENDPOINT}/runsync?wait=1000`, {
    method: "POST",
    body: JSON.stringify({ input: { ...INPUT, image: picture } }),
  });
  expect([large.status, await large.json()]).toEqual([200, expect.objectContaining({ status: "IN_QUEUE" })]);
  const tooLarge = await send(`${ENDPOINT}/runsync`, { method: "POST", body: "A".repeat(22 * 2 ** 20) });
  expect(tooLarge.status).toBe(413);
  const id = await submit();
  const poll = send(`${ENDPOINT}/status-sync/${id}?wait=20000`);
  setTimeout(() => jobs.change(id, { status: "failed", endedAt: new Date(), error: "Late." }), 2000);
  expect(await (await poll).json()).toMatchObject({ id, status: "FAILED" });
  for (const route of ["/metrics", "/healthz", "/readyz"])
    expect((await send(route)).status, route).toBe(404);
  await expectAddresses(port);
}

/** Each client has its own address, whatever it writes into the header itself. */
async function expectAddresses(port: number): Promise<void> {
  const wrongKey = async (localAddress: string, forged: string): Promise<number | undefined> => {
    const headers = { authorization: "Bearer wrong", "x-forwarded-for": forged };
    const request = get({ host: "127.0.0.1", port, path: `${ENDPOINT}/health`, localAddress, headers });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  expect(await wrongKey("127.0.0.2", "192.0.2.1")).toBe(401);
  expect(await wrongKey("127.0.0.2", "192.0.2.2")).toBe(429);
  expect(await wrongKey("127.0.0.3", "192.0.2.1")).toBe(401);
}

async function startBehind(): Promise<{ server: TestServer; upstream: string; port: number }> {
  const server = await startServer({
    trustedProxies: ["127.0.0.1"],
    wrongKeyRate: 1,
    rateWindowMs: 60_000,
  });
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  return { server, upstream: `127.0.0.1:${port}`, port: await freePort() };
}

describe("the guides", () => {
  it("have an nginx configuration that carries bodies, waits and refusals", async ({ skip }) => {
    if (!isHere("nginx", "-v")) return skip("no nginx here");
    const { server, upstream, port } = await startBehind();
    const folder = await temporaryFolder();
    const own = blockOf("reverse-proxy", "nginx")
      .replace("127.0.0.1:8000", upstream)
      .replace("listen 443 ssl;", `listen 127.0.0.1:${port};`)
      .replace("server_name edit.example.com;", "server_name _;")
      .replaceAll(/^\s+ssl_certificate.*\n/gm, "");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (kind) => `${kind}_temp_path ${path.join(folder, kind)};`,
    );
    // Its workers are another user by default, who may not enter the folder.
    const text = `user root;\ndaemon off;\npid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary.join("\n")}\n${own}}\n`;
    const file = path.join(folder, "nginx.conf");
    await writeFile(file, text);
    expect(spawnSync("nginx", ["-t", "-c", file], { encoding: "utf8" }).stderr).toContain(
      "test is successful",
    );
    await startProxy("nginx", ["-c", file], port);
    await expectService(port, server);
  }, 60_000);

  it("have a Caddyfile that carries bodies, waits and refusals", async ({ skip }) => {
    if (!isHere("caddy", "version")) return skip("no caddy here");
    const { server, upstream, port } = await startBehind();
    const folder = await temporaryFolder();
    const own = blockOf("reverse-proxy", "caddy")
      .replace("127.0.0.1:8000", upstream)
      .replace("edit.example.com {", `http://127.0.0.1:${port} {`);
    const file = path.join(folder, "Caddyfile");
    await writeFile(file, `{\n\tadmin off\n\tauto_https off\n}\n${own}`);
    await startProxy("caddy", ["run", "--config", file, "--adapter", "caddyfile"], port);
    await expectService(port, server);
  }, 60_000);

  it("have a systemd unit without a mistake", async ({ skip }) => {
    if (!isHere("systemd-analyze", "--version")) return skip("no systemd-analyze here");
    const folder = await temporaryFolder();
    await mkdir(folder, { recursive: true });
    const unit = path.join(folder, "retouch.service");
    const text = blockOf("systemd", "ini");
    await writeFile(unit, text.replace("/opt/retouch/node_modules/.bin/retouch", process.execPath));
    const verified = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" });
    const about = verified.stderr.split("\n").filter((line) => line.includes("retouch.service"));
    expect(about).toEqual([]);
    await writeFile(unit, text.replace("RestartSec=2", "RestartSecs=2"));
    expect(spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" }).stderr).toContain(
      "RestartSecs",
    );
  });
});
