/** A load balancer as small as can be: it asks each server's /readyz, and sends a call to one of those that are ready. */
import { once } from "node:events";
import { Agent, createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Balancer {
  address: string;
  /** Calls that reached no server, or whose answer broke off: each with its reason. */
  failures: string[];
  /** The servers that answered /readyz with 200 the last time. */
  ready(): string[];
  close(): Promise<void>;
}

const CHECK_MS = 100;

export async function startBalancer(servers: readonly string[]): Promise<Balancer> {
  const ready = new Set<string>();
  const failures: string[] = [];
  // Connections are kept, as real balancers keep them: the server says when one ends.
  const agent = new Agent({ keepAlive: true });
  let turn = 0;

  const check = async (): Promise<void> => {
    await Promise.all(
      servers.map(async (server) => {
        const isReady = await fetch(`${server}/readyz`).then(
          ({ status }) => status === 200,
          () => false,
        );
        if (isReady) ready.add(server);
        else ready.delete(server);
      }),
    );
  };
  let checking = check();
  const timer = setInterval(() => (checking = check()), CHECK_MS);

  const balancer = createServer((call, answer) => {
    const choices = [...ready];
    const server = choices[(turn += 1) % choices.length];
    const fail = (reason: unknown): void => {
      failures.push(`${call.method} ${call.url} at ${server}: ${String(reason)}`);
      if (answer.headersSent) answer.destroy();
      else answer.writeHead(502).end("{}");
    };
    if (server === undefined) return fail("no server is ready");
    const passed = request(
      `${server}${call.url}`,
      { method: call.method, headers: call.headers, agent },
      (response: IncomingMessage) => {
        const { connection: _, ...headers } = response.headers;
        answer.writeHead(response.statusCode!, headers);
        response.on("error", fail).pipe(answer);
      },
    );
    passed.on("error", fail);
    call.pipe(passed);
  });
  balancer.listen(0, "127.0.0.1");
  await once(balancer, "listening");
  await checking;
  return {
    address: `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`,
    failures,
    ready: () => [...ready],
    async close() {
      clearInterval(timer);
      await checking;
      agent.destroy();
      balancer.closeAllConnections();
      balancer.close();
    },
  };
}
