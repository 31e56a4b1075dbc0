/** Changes HTTP calls: method, target, headers, body and framing, and at last the bytes themselves. */
import type { Random } from "../random.ts";
import { mutateBytes } from "./bytes.ts";
import { mutateText, oddText } from "./text.ts";

export interface Call {
  method: string;
  /** Path and query. */
  target: string;
  headers: [name: string, value: string][];
  body?: Buffer | undefined;
}

const METHODS: readonly string[] = [
  [
    "GET",
    "POST",
    "HEAD",
    "OPTIONS",
    "PUT",
    "DELETE",
    "PATCH",
    "CONNECT",
    "TRACE",
    "QUERY",
    "get",
    "M-SEARCH",
  ],
].flat();

/** Headers that something reads, with values that are right and values that are not. */
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["Authorization", ["Bearer wrong", "Basic YTpi", "bearer", "Bearer  ", ""]],
  [
    "Content-Type",
    ["application/json", "text/plain", "", ";", "application/json; charset=utf-16", "multipart/form-data"],
  ],
  ["Content-Length", ["0", "5", "-1", "+5", "0x10", "99999999999999999999", "5, 5", "1e3", " 7 "]],
  ["Transfer-Encoding", ["chunked", "gzip, chunked", "identity", "chunked, chunked", "xchunked", ""]],
  ["Content-Encoding", ["gzip", "br", "identity"]],
  ["Expect", ["100-continue", "200-ok", "100-Continue, x", ""]],
  ["Connection", ["keep-alive", "upgrade", "close, x", "Transfer-Encoding", ""]],
  ["Upgrade", ["websocket", "h2c", "TLS/1.0"]],
  [
    "Range",
    ["bytes=0-1", "bytes=-1", "bytes=5-2", "bytes=0-0,2-3,5-", "items=1", "bytes=99999999999999999999-"],
  ],
  ["If-Range", ['"x"', "Wed, 21 Oct 2015 07:28:00 GMT"]],
  ["If-None-Match", ["*", '"x"', 'W/"x", "y"', ",,,", '"']],
  ["If-Modified-Since", ["Wed, 21 Oct 2015 07:28:00 GMT", "yesterday", "99999999999999"]],
  ["Idempotency-Key", ["a-key", "", "k\u00e9y", "x".repeat(256), "a, b", "\t"]],
  ["Host", ["evil.example", "[::1", "localhost:99999", "", "a b", "127.0.0.1:8000, x", "xn--\u00fc"]],
  ["Origin", ["null", "http://evil.example", "https://app.example.com", "*"]],
  ["Access-Control-Request-Method", ["PUT", "", "x"]],
  ["Access-Control-Request-Headers", ["authorization", "x".repeat(1000)]],
  ["Forwarded", ["for=1.2.3.4;proto=https;host=evil.example", 'for="[::1]"', ";;;"]],
  ["X-Forwarded-For", ["1.2.3.4, 5.6.7.8", "unknown"]],
  ["X-Forwarded-Host", ["evil.example"]],
  ["X-Forwarded-Proto", ["https", "javascript"]],
  ["X-HTTP-Method-Override", ["DELETE"]],
  ["traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ff--", "00-0-0-0"]],
  ["tracestate", ["a=b,c=d", ",".repeat(100)]],
  ["X-Request-Id", ["x".repeat(5000), "\u00ff"]],
  ["Accept", ["application/xml", "*/*;q=x", ""]],
  ["Accept-Encoding", ["gzip;q=0, *", "br"]],
  ["Accept-Version", ["1.x", "99", "*", "1.2.3 || x"]],
  ["Cookie", ["a=b; c", "=;=;"]],
  ["Sec-WebSocket-Key", ["x"]],
  ["HTTP2-Settings", ["AAMAAABkAAQCAAAAAAIAAAAA"]],
  ["Trailer", ["Content-Length"]],
  ["TE", ["trailers"]],
  ["User-Agent", ["x".repeat(9000)]],
];

function mutateHeaders(headers: Call["headers"], random: Random): void {
  const choice = random.below(10);
  const at = random.below(headers.length + 1);
  const header = headers[at];
  const [name, values] = random.pick(HEADERS);
  const added: [string, string] = [
    name,
    random.chance(0.7) ? random.pick(values) : mutateText(random.pick(values), random),
  ];
  if (choice < 4) headers.splice(at, 0, added);
  else if (choice < 5)
    headers.splice(
      0,
      headers.length,
      ...headers.filter(([own]) => own.toLowerCase() !== name.toLowerCase()),
      added,
    );
  else if (choice < 6 && header) headers[at] = [header[0], mutateText(header[1], random)];
  else if (choice < 7 && header) headers[at] = [mutateText(header[0], random), header[1]];
  else if (choice < 8) headers.splice(at, 1);
  else if (choice < 9 && header) headers.push(...Array.from({ length: random.few(300) }, () => header));
  else headers.push([oddText(random), oddText(random)]);
}

/** Headers of a call changed once or a few times. */
export function withOddHeaders(call: Call, random: Random): Call {
  const headers = call.headers.map(([name, value]): [string, string] => [name, value]);
  for (let times = random.few(6); times > 0; times -= 1) mutateHeaders(headers, random);
  return { ...call, headers };
}

export const withOddMethod = (call: Call, random: Random): Call => ({
  ...call,
  method: random.chance(0.8) ? random.pick(METHODS) : mutateText(call.method, random),
});

/** The parts of a path, its query, or both, encoded or not. */
export function withOddTarget(call: Call, random: Random): Call {
  const [path = "", query] = call.target.split("?", 2);
  const parts = path.split("/");
  const odd = (text: string): string => {
    const changed = mutateText(text, random);
    return random.chance(0.5) ? encode(changed) : changed;
  };
  if (random.chance(0.5)) {
    const at = random.below(parts.length);
    parts[at] = odd(parts[at]!);
  } else if (random.chance(0.2)) parts.splice(random.below(parts.length), 1);
  else if (random.chance(0.1)) parts.splice(random.below(parts.length), 0, "", "..", "%2e%2e");
  const fields = (query ?? "").split("&");
  for (let times = random.few(3); times > 0; times -= 1) {
    const at = random.below(fields.length);
    const [name = "", value = ""] = fields[at]!.split("=", 2);
    const choice = random.below(4);
    if (choice < 2) fields[at] = `${name}=${odd(value)}`;
    else if (choice < 3) fields.push(`${name}${random.pick(["", "[]", "[a]"])}=${odd(value)}`);
    else fields[at] = odd(fields[at]!);
  }
  return {
    ...call,
    target: `${parts.join("/")}${query === undefined && random.chance(0.7) ? "" : `?${fields.join("&")}`}`,
  };
}

/** As URLs are encoded, also what has no encoding. */
const encode = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

/** The bytes of a call. Characters beyond latin-1 in head lines become UTF-8, as some clients send them. */
export function bytesOf({ method, target, headers, body }: Call, random: Random): Buffer {
  const isChunked = body !== undefined && random.chance(0.1);
  const framing: [string, string][] =
    body === undefined
      ? []
      : isChunked
        ? [["Transfer-Encoding", "chunked"]]
        : [["Content-Length", String(body.length)]];
  const head = [
    `${method} ${target} HTTP/1.1`,
    ...[...headers, ...framing].map(([name, value]) => `${name}: ${value}`),
  ];
  const start = Buffer.from(`${head.join("\r\n")}\r\n\r\n`);
  return Buffer.concat([start, ...(body === undefined ? [] : isChunked ? chunked(body, random) : [body])]);
}

function chunked(body: Buffer, random: Random): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const length = Math.min(body.length - at, random.within(1, 4096));
    const size = random.chance(0.97)
      ? length.toString(16)
      : random.pick(["-1", "ffffffffffffffff", "0", "g", "1;x=y"]);
    parts.push(Buffer.from(`${size}\r\n`), body.subarray(at, at + length), Buffer.from("\r\n"));
    at += length;
  }
  return [...parts, Buffer.from(random.chance(0.97) ? "0\r\n\r\n" : "0\r\nX-Trailer: 1\r\n\r\n")];
}

/** Any bytes that begin as calls do. */
export function oddBytes(calls: readonly Call[], random: Random): Buffer {
  const corpus = calls.map((call) => bytesOf(call, random));
  const first = mutateBytes(random.pick(corpus), random, corpus);
  return random.chance(0.2) ? Buffer.concat([first, random.pick(corpus)]) : first;
}
