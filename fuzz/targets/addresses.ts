/** Addresses and names: of images, of this server, of its results, of what may be reached. */
import { BlockList, isIP } from "node:net";
import { parseImageField } from "../../src/images/image-field.ts";
import { checkRepository } from "../../src/hub/repository.ts";
import { checkKeyName } from "../../src/keys/key-name.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { isRefusedLiterally } from "../../src/net/literal-address.ts";
import { createHostCheck } from "../../src/server/host-check.ts";
import { ownPart, partsOfHost } from "../../src/server/origin.ts";
import { dayInQuery, numberInQuery, optionalNumber } from "../../src/server/queries.ts";
import { createSignedUrls } from "../../src/storage/signed-urls.ts";
import { PIXEL } from "../corpus/bodies.ts";
import { mutateText, oddText, textOf } from "../mutate/text.ts";
import type { Random } from "../random.ts";
import { expect, type Target, target } from "../target.ts";

const MAX_IMAGE_BYTES = 64 * 1024;
const IMAGES: readonly string[] = [
  "https://pictures.example/bird.png?size=large#top",
  "http://pictures.example:8080/a%20bird.png",
  "http://127.0.0.1/admin",
  "http://0x7f000001:80/",
  "http://0177.0.0.1/",
  "http://2130706433/",
  "http://10.1.2.3/",
  "http://172.16.0.1/",
  "http://192.168.1.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://100.64.0.1/",
  "http://[::1]:8000/",
  "http://[::ffff:10.0.0.1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[fd00::1]/",
  "http://[fe80::1]/",
  "http://localhost/",
  "http://a.localhost./",
  "http://\uff11\uff12\uff17.0.0.1/",
  "http://127\u30020\u30020\u30021/",
  "http://8.8.8.8/",
  "http://[2606:4700::1111]/",
  `data:image/png;base64,${PIXEL}`,
  PIXEL,
];
const ENTRIES: readonly string[] = [
  ["10.0.0.0/8", "127.0.0.1", "127.0.0.1:9000", "[::1]:8080", "::1", "fd00::/8", "minio", "minio:9000"],
  ["*.internal.example.com", "*.svc:443", "2001:db8::1", "192.168.0.1/32", "host.docker.internal."],
].flat();
const HOSTS: readonly string[] = [
  [
    "localhost",
    "localhost:8000",
    "127.0.0.1:8000",
    "[::1]:8000",
    "edit.example.com",
    "EDIT.example.com.:443",
  ],
  ["a.b.internal.example.com:80", "evil.example", "printer.local"],
].flat();
const NAMES: readonly string[] = ["laptop", "a key of the team", "\u00e9quipe \u{1f600}"];
const REPOSITORIES: readonly string[] = ["black-forest-labs/FLUX.1-Kontext-dev", "a/b", "org_1/name.v2"];
const REVISIONS: readonly string[] = [
  "main",
  "refs/pr/1",
  "0123456789abcdef0123456789abcdef01234567",
  "v1.0",
];
const NUMBERS: readonly string[] = ["10", "-1", "300000", "1.5", "0"];
const DAYS: readonly string[] = ["2026-02-28", "2024-02-29", "1970-01-01", "9999-12-31"];

/** What must never be reached, by Node's own reading of addresses. */
const INSIDE = new BlockList();
for (const [network, bits] of [
  ...([
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
  ] as const),
  ...([
    ["172.16.0.0", 12],
    ["192.168.0.0", 16],
    ["224.0.0.0", 4],
    ["240.0.0.0", 4],
  ] as const),
] as const) {
  INSIDE.addSubnet(network, bits, "ipv4");
}
for (const [network, bits] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
  ["64:ff9b:1::", 48],
] as const) {
  INSIDE.addSubnet(network, bits, "ipv6");
}

function isInside(url: URL): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const kind = isIP(host);
  if (kind === 0) return host === "localhost" || /\.localhost\.?$/.test(host) || host === "localhost.";
  return INSIDE.check(host, kind === 4 ? "ipv4" : "ipv6");
}

const NOTHING = createAddressPolicy([]);
const SIGNED_AT = new Date(Date.UTC(2026, 0, 1));
const LIFETIME_MS = 3_600_000;

interface Address {
  name: string;
  expires: unknown;
  signature: unknown;
}

/** Three results of this server, by their addresses. */
function signedAddresses() {
  const signedUrls = createSignedUrls({ secret: "a secret of the fuzzer", lifetimeMs: LIFETIME_MS });
  const addresses = ["A".repeat(32), "b-_9".repeat(8), "0123456789abcdefghijABCDEFGHIJ__"].map(
    (name, index) => {
      const key = `outputs/${name}.${index === 2 ? "jpeg" : "png"}`;
      const url = new URL(signedUrls.sign(key, SIGNED_AT), "http://own");
      const { expires, signature } = Object.fromEntries(url.searchParams);
      return { name: url.pathname.slice("/files/".length), expires: expires!, signature: signature! };
    },
  );
  return { signedUrls, addresses };
}

/** A character's neighbours: an encoding may read several characters as the same bits. */
function neighbouring(text: string, random: Random): string {
  const at = random.chance(0.5) ? text.length - 1 : random.below(text.length);
  const code = text.charCodeAt(at) + random.pick([-3, -2, -1, 1, 2, 3]);
  return text.slice(0, at) + String.fromCharCode(Math.max(0, code)) + text.slice(at + 1);
}

const oddField = (text: string, random: Random): unknown =>
  random.chance(0.5)
    ? neighbouring(text, random)
    : random.chance(0.8)
      ? mutateText(text, random)
      : random.pick([
          undefined,
          [text, text],
          "",
          `${text}=`,
          ` ${text}`,
          text.replaceAll("-", "+").replaceAll("_", "/"),
        ]);

export const TARGETS: readonly Target[] = [
  target<string>(
    {
      name: "image-field",
      parser: "parseImageField and isRefusedLiterally, src/images/image-field.ts, src/net/literal-address.ts",
      codes: ["INVALID_PARAMETER", "IMAGE_TOO_LARGE"],
    },
    () => ({
      generate: (random) => textOf(IMAGES, random),
      feed(text) {
        const field = parseImageField(text, MAX_IMAGE_BYTES);
        if (field.kind === "inline") {
          expect(
            field.bytes.length > 0 && field.bytes.length <= MAX_IMAGE_BYTES,
            "gave bytes beyond the limit",
          );
          return;
        }
        const url = new URL(field.url);
        expect(/^https?:$/.test(url.protocol), `let ${url.protocol} through`);
        expect(url.username === "" && url.password === "", "let a login through");
        expect(!isInside(url) || isRefusedLiterally(NOTHING, url), `let ${url.hostname} through`);
        ownPart(field.url, ["http://127.0.0.1:8000", "https://edit.example.com/below"]);
      },
    }),
  ),
  target<string>(
    {
      name: "allowed-hosts",
      parser: "createAddressPolicy, src/net/address-policy.ts",
      codes: ["CONFIG_INVALID"],
    },
    () => ({
      generate: (random) => textOf(ENTRIES, random),
      feed(text) {
        const policy = createAddressPolicy([text]);
        policy.isAllowed("127.0.0.1", { hostname: "localhost", port: 80 });
        policy.isAllowed("fd00::1", { hostname: text, port: 443 });
        // No entry that is a single name may open the whole network.
        const other = policy.isAllowed("10.99.98.97", { hostname: "some.other.name", port: 1 });
        expect(
          !other || text.includes("/") || text.includes("10.99.98.97"),
          "allows an address that it does not name",
        );
      },
    }),
  ),
  target<string>({ name: "host", parser: "createHostCheck, src/server/host-check.ts", codes: [] }, () => {
    const isOwn = createHostCheck(
      {
        host: "127.0.0.1",
        publicUrl: "https://edit.example.com",
        allowedHosts: ["*.internal.example.com:80"],
      },
      "laptop.local",
    );
    return {
      generate: (random) => textOf(HOSTS, random),
      feed(text) {
        const name = partsOfHost(text)?.name.toLowerCase().replace(/\.$/, "");
        if (!isOwn(text)) return;
        const isNamed =
          name !== undefined &&
          /(^|\.)(localhost|laptop|laptop\.local|edit\.example\.com|internal\.example\.com)$/.test(name);
        expect(isNamed || /^[\d.]+$|^\[/.test(name ?? ""), "took a foreign name for its own");
      },
    };
  }),
  target<Address>({ name: "signed-url", parser: "verify, src/storage/signed-urls.ts", codes: [] }, () => {
    const { signedUrls, addresses } = signedAddresses();
    return {
      generate(random) {
        const address: Address = { ...random.pick(addresses) };
        if (random.chance(0.05)) return address;
        if (random.chance(0.1)) return { ...address, signature: random.pick(addresses).signature };
        const field = random.pick(["name", "expires", "signature", "signature", "signature"] as const);
        const changed = oddField(String(address[field]), random);
        return { ...address, [field]: field === "name" ? String(changed) : changed };
      },
      feed({ name, expires, signature }) {
        const given = addresses.find(
          (one) => one.name === name && one.expires === expires && one.signature === signature,
        );
        const during = signedUrls.verify(name, { expires, signature }, SIGNED_AT).state;
        const after = signedUrls.verify(name, { expires, signature }, new Date(8.64e15)).state;
        expect(during === (given ? "valid" : "invalid"), `called an address ${during}`);
        expect(after === (given ? "expired" : "invalid"), `called an old address ${after}`);
      },
    };
  }),
  target<{ number: unknown; day: unknown }>(
    { name: "queries", parser: "numberInQuery and dayInQuery, src/server/queries.ts", codes: [] },
    () => ({
      generate(random) {
        const many = (texts: readonly string[]): unknown =>
          random.chance(0.05)
            ? random.pick([undefined, [], [textOf(texts, random), "2"], [undefined]])
            : textOf(texts, random);
        return { number: many(NUMBERS), day: many(DAYS) };
      },
      feed({ number, day }) {
        const read = numberInQuery(number, { min: 0, max: 1_000_000, default: 5 });
        expect(Number.isInteger(read) && read >= 0 && read <= 1_000_000, `read ${read}`);
        const free = optionalNumber(number);
        expect(free === undefined || Number.isSafeInteger(free), `read ${free}`);
        const text = dayInQuery(day, 0);
        const date = new Date(`${text}T00:00:00Z`);
        expect(date.toISOString().startsWith(text), `read the day ${text}`);
      },
    }),
  ),
  target<string>(
    { name: "key-name", parser: "checkKeyName, src/keys/key-name.ts", codes: ["INVALID_PARAMETER"] },
    () => ({
      generate: (random) => (random.chance(0.1) ? oddText(random) : textOf(NAMES, random)),
      feed(text) {
        checkKeyName(text);
        expect(!/[\p{Cc}\p{Surrogate}]/u.test(text) && text.length <= 200, "let a name through");
      },
    }),
  ),
  target<{ name: string; revision: string }>(
    { name: "hub-name", parser: "checkRepository, src/hub/repository.ts", codes: ["INVALID_PARAMETER"] },
    () => ({
      generate: (random) => ({ name: textOf(REPOSITORIES, random), revision: textOf(REVISIONS, random) }),
      feed(repository) {
        checkRepository(repository);
        const { name, revision } = repository;
        expect(
          name.split("/").length === 2 && !`${name}/${revision}`.split("/").includes(".."),
          "leaves the cache",
        );
      },
    }),
  ),
];
