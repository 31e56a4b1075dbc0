/** Receivers of webhooks, good ones and bad ones, and the host of source images. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a receiver does with a webhook. `recovers`: answers 500 to the first two tries of each. */
export const RECEIVERS = ["healthy", "hangs", "resets", "error", "recovers"] as const;
export type ReceiverKind = (typeof RECEIVERS)[number];

export interface Receipt {
  /** The delivery's `webhook-id`. */
  message: string;
  job: string;
  status: string;
  kind: ReceiverKind;
  isAccepted: boolean;
}

export interface Receivers {
  /** Address of a receiver. Healthy ones have a host of their own, so that no other takes their places. */
  addressOf(kind: ReceiverKind): string;
  /** Address of a source image. */
  picture: string;
  receipts: Receipt[];
  close(): Promise<void>;
}

const TRIES_BEFORE_RECOVERY = 2;

/** @param picture bytes of a PNG or JPEG */
export async function startReceivers(picture: Uint8Array): Promise<Receivers> {
  const receipts: Receipt[] = [];

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "GET") return void response.end(picture);
    const kind = request.url!.slice(1) as ReceiverKind;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { id, status } = JSON.parse(Buffer.concat(chunks).toString()) as { id: string; status: string };
    const message = String(request.headers["webhook-id"]);
    const earlier = receipts.filter((receipt) => receipt.message === message).length;
    const isAccepted = kind === "healthy" || (kind === "recovers" && earlier >= TRIES_BEFORE_RECOVERY);
    receipts.push({ message, job: id, status, kind, isAccepted });
    if (isAccepted) response.writeHead(200).end();
    else if (kind === "resets") request.socket.resetAndDestroy();
    else if (kind !== "hangs") response.writeHead(500).end();
  }

  const listen = async (): Promise<[Server, string]> => {
    const server = createServer((request, response) => {
      receive(request, response).catch(() => response.destroy());
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  };
  const [good, goodAddress] = await listen();
  const [bad, badAddress] = await listen();
  return {
    addressOf: (kind) => `${kind === "healthy" ? goodAddress : badAddress}/${kind}`,
    picture: `${goodAddress}/picture`,
    receipts,
    async close() {
      for (const server of [good, bad]) {
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
      }
    },
  };
}
