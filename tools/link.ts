/** A way from one program to a database or a bucket, which can be silent, slow or cut. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export type LinkState =
  | { kind: "up" }
  /** Ends all connections, and each new one at once. */
  | { kind: "cut" }
  /** Ends all connections, and refuses new ones, as when the target is not running. */
  | { kind: "refused" }
  /**
   * Takes bytes and passes none on, without a sign to either side: both ways, or only those from the target. Connections
   * of that time stay so for good.
   */
  | { kind: "silent"; loses: "everything" | "answers" }
  /** Each piece comes later by `delayMs`, and in small pieces. */
  | { kind: "slow"; delayMs: number };

export interface Link {
  /** The target's URL, with this link's host and port in it. */
  url: string;
  /** Connections that are made once it has resolved are in that state. */
  set(state: LinkState): Promise<void>;
  close(): Promise<void>;
}

const PIECE_BYTES = 16 * 1024;
/** What a database's URL may leave out. */
const POSTGRES_PORT = 5432;

export async function openLink(target: string): Promise<Link> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  /** Those that clients opened; the others lead to the target. */
  const clients = new WeakSet<Socket>();
  /** What comes from these went astray once, so that what follows would not fit to what came before. */
  const lost = new Set<Socket>();
  let state: LinkState = { kind: "up" };

  function pass(client: Socket): void {
    if (state.kind === "cut") return void client.resetAndDestroy();
    const upstream = connect(Number(port || POSTGRES_PORT), hostname);
    clients.add(client);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      loseIfSilent(from);
      let last: Promise<void> = Promise.resolve();
      from.on("data", (bytes) => {
        if (lost.has(from)) return;
        from.pause();
        last = last.then(() => send(to, bytes)).finally(() => from.resume());
      });
      from.on("end", () => {
        if (!lost.has(from)) last = last.then(() => void to.end());
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        if (lost.delete(from)) return;
        void last.then(() => to.destroy());
      });
    }
  }

  function loseIfSilent(socket: Socket): void {
    if (state.kind === "silent" && (state.loses === "everything" || !clients.has(socket))) lost.add(socket);
  }

  async function send(to: Socket, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      if (state.kind === "slow") await delay(state.delayMs);
      if (to.destroyed) return;
      const piece = state.kind === "slow" ? bytes.subarray(at, at + PIECE_BYTES) : bytes.subarray(at);
      if (!to.write(piece)) await Promise.race([once(to, "drain"), once(to, "close")]).catch(() => {});
      if (piece.length < bytes.length - at) continue;
      return;
    }
  }

  const server = createServer({ allowHalfOpen: true }, pass);
  async function listen(at: number): Promise<void> {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
  }

  async function stop(): Promise<void> {
    const closed = server.listening && once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  await listen(0);
  const { port: own } = server.address() as AddressInfo;
  const url = new URL(target);
  url.host = `127.0.0.1:${own}`;
  return {
    url: url.href.replace(/\/$/, ""),
    async set(next) {
      state = next;
      for (const socket of sockets) loseIfSilent(socket);
      if (next.kind === "cut") for (const socket of sockets) socket.resetAndDestroy();
      if (next.kind === "refused") await stop();
      else if (!server.listening) await listen(own);
    },
    close: stop,
  };
}
