/** A way to the database that can be cut and restored, as when PostgreSQL restarts, or fall silent, as when packets are lost. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export interface TcpProxy {
  /** The database's address, with the proxy's host and port in it. */
  url: string;
  /** Breaks all connections, and refuses new ones. */
  cut(): Promise<void>;
  /** Listens at the same port again. */
  restore(): Promise<void>;
  /**
   * Nothing arrives any more on either side, not even that a connection was closed. New connections are made, and
   * are as silent.
   * @param options.only of the two directions: answers alone are lost
   */
  silence(options?: { only?: "answers" }): void;
  /** Connections made from now on work; those of before stay silent for good. */
  heal(): void;
}

/** Both sockets of a connection through the proxy. */
interface Link {
  isSilent: boolean;
  onlyAnswers: boolean;
}

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const links = new Set<Link>();
  let server: Server | undefined;
  let silent: Pick<Link, "onlyAnswers"> | undefined;

  function pass(client: Socket): void {
    const upstream = connect(Number(port || 5432), hostname);
    const link: Link = { isSilent: silent !== undefined, onlyAnswers: silent?.onlyAnswers ?? false };
    links.add(link);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      const isLost = (): boolean => link.isSilent && !(link.onlyAnswers && from === client);
      sockets.add(from);
      from.on("error", () => {});
      from.on("data", (chunk) => {
        if (!isLost()) to.write(chunk);
      });
      from.on("close", () => {
        sockets.delete(from);
        if (!isLost()) to.destroy();
      });
    }
  }

  async function listen(at: number): Promise<number> {
    server = createServer(pass).listen(at, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  const own = await listen(0);
  const url = new URL(target);
  url.host = `127.0.0.1:${own}`;
  return {
    url: url.href,
    async cut() {
      if (server === undefined) return;
      const closed = once(server, "close");
      server.close();
      server = undefined;
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async restore() {
      await listen(own);
    },
    silence({ only } = {}) {
      silent = { onlyAnswers: only === "answers" };
      for (const link of links) Object.assign(link, { isSilent: true, ...silent });
    },
    heal() {
      silent = undefined;
    },
  };
}
