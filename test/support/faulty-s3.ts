/** A way to an S3 server that fails as a test says: every kind of failure that such a server, or the way to it, has. */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const ERRORS = {
  "credentials that are not valid any more": [403, "InvalidAccessKeyId"],
  "a role without its rights": [403, "AccessDenied"],
  "a bucket that has gone": [404, "NoSuchBucket"],
  "a server that has no time": [503, "SlowDown"],
  "a defect": [500, "InternalError"],
} as const;

export const FAULTS = [
  "a refused connection",
  "a broken connection",
  "silence",
  ...(Object.keys(ERRORS) as (keyof typeof ERRORS)[]),
] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultyS3 {
  endpoint: string;
  /** From now on; connections that are open end with it. */
  set(fault: Fault | undefined): Promise<void>;
  close(): Promise<void>;
}

export async function startFaultyS3(target: string): Promise<FaultyS3> {
  let fault: Fault | undefined;
  let server: Server | undefined;
  const upstream = new URL(target);

  function pass(call: IncomingMessage, answer: ServerResponse): void {
    const { method, url, headers } = call;
    // With the host that the client signed.
    const options = { host: upstream.hostname, port: upstream.port, method, path: url, headers };
    const passed = request(options, (response) => {
      answer.writeHead(response.statusCode!, response.headers);
      response.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    call.on("error", () => passed.destroy());
    call.pipe(passed);
  }

  function hear(call: IncomingMessage, answer: ServerResponse): void {
    if (fault === undefined) return pass(call, answer);
    if (fault === "silence") return void call.resume();
    if (fault === "a broken connection" || fault === "a refused connection") return void call.destroy();
    const [status, code] = ERRORS[fault];
    call.resume().on("end", () => {
      answer.writeHead(status, { "content-type": "application/xml" });
      answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
    });
  }

  async function listen(port: number): Promise<void> {
    server = createServer(hear).listen(port, "127.0.0.1");
    await once(server, "listening");
  }

  async function stop(): Promise<void> {
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    server = undefined;
    await closed;
  }

  await listen(0);
  const { port } = (server as Server | undefined)!.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async set(next) {
      fault = next;
      if (fault === "a refused connection") await stop();
      else if (server === undefined) await listen(port);
      else server.closeAllConnections();
    },
    close: stop,
  };
}
