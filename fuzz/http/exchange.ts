/** One connection: sends bytes as they are, and reads what comes until the end. */
import { connect } from "node:net";
import { expect } from "../target.ts";

export interface Place {
  port?: number;
  host?: string;
  /** A socket of the file system, instead of a port. */
  path?: string;
}

/** The server is in the same process, so after that it has nothing left to do but to wait. */
const QUIET_MS = 15;
/** Then it is broken off, if the server does not want to end it. */
const LAST_MS = 150;

/**
 * Sends bytes, and reads until the connection ends.
 * @param quietMs without news for so long, this side is done: it sent half a call, or the connection stays open
 * @returns everything that was answered, as latin-1
 */
export function exchange(place: Place, bytes: Uint8Array, quietMs = QUIET_MS): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ ...place, noDelay: true } as never);
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    let isHalf = false;
    const onQuiet = (): void => {
      if (isHalf) return end();
      isHalf = true;
      socket.end();
      timer = setTimeout(onQuiet, LAST_MS);
    };
    let timer = setTimeout(onQuiet, quietMs);
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      timer.refresh();
    });
    socket.on("error", () => {}).on("close", end);
    socket.write(bytes);
  });
}

/** Also after a body, which need not end with a line. */
const STATUS_LINE = /HTTP\/1\.[01] (\d{3}) [A-Za-z' -]*\r\n/g;

/**
 * Holds the answers of a server to its promises: no status from 500 up but the documented, and JSON where it says so.
 * @param documented statuses from 500 up that are right here
 * @returns the statuses
 */
export function checkAnswers(text: string, documented: readonly number[]): number[] {
  const statuses = [...text.matchAll(STATUS_LINE)].map(([, status]) => Number(status));
  expect(
    text === "" || text.startsWith("HTTP/1."),
    `answered with something other than HTTP: ${text.slice(0, 50)}`,
  );
  for (const status of statuses) {
    expect(status < 500 || documented.includes(status), `answered ${status}: ${text.slice(0, 1500)}`);
  }
  const [head = "", body = ""] = split(text);
  if (statuses.length === 1 && /^content-type: application\/json/im.test(head) && body !== "") {
    expect(isJson(body), `answered with something other than JSON: ${body.slice(0, 500)}`);
    expect(!/\bat .*\.js:\d+|node_modules/.test(body), `showed its code: ${body.slice(0, 500)}`);
  }
  return statuses;
}

function split(text: string): [head: string, body: string] {
  const at = text.indexOf("\r\n\r\n");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 4)];
}

function isJson(body: string): boolean {
  try {
    JSON.parse(Buffer.from(body, "latin1").toString("utf8"));
    return true;
  } catch {
    return false;
  }
}
