import { describe, expect, it } from "vitest";
import { createSignedUrls, type Verified } from "../../src/storage/signed-urls.ts";
import { createKey } from "../../src/storage/storage.ts";

const DAY_MS = 24 * 60 * 60_000;
const from = new Date("2026-03-01T12:00:00.700Z");
const urls = createSignedUrls({ secret: "a secret of the server", lifetimeMs: 7 * DAY_MS });
const key = `outputs/${"Ab-_0".repeat(6)}zz.png`;

const after = (ms: number): Date => new Date(from.getTime() + ms);
/** What a server does with an address. */
function verify(address: string, now: Date, signer = urls): Verified {
  const { pathname, searchParams } = new URL(address, "http://127.0.0.1");
  return signer.verify(pathname.replace("/files/", ""), Object.fromEntries(searchParams), now);
}

describe("a signed address", () => {
  it("has the name with its extension, the second of its end and a signature, and nothing else", () => {
    const address = urls.sign(key, from);
    expect(address).toMatch(
      /^\/files\/[A-Za-z0-9_-]{32}\.png\?expires=1772971200&signature=[A-Za-z0-9_-]{43}$/,
    );
    expect(new URL(address, "http://h").pathname.endsWith(".png")).toBe(true);
    expect(urls.sign(createKey("outputs", "jpeg"), from)).toMatch(/^\/files\/\S+\.jpeg\?/);
  });

  it("is the same for the same key and time, so that a status never changes", () => {
    expect(urls.sign(key, from)).toBe(urls.sign(key, after(0)));
  });

  it("stands for its key until its life of 7 days is over, and has expired then", () => {
    const address = urls.sign(key, from);
    const expiresAt = new Date("2026-03-08T12:00:00Z");
    expect(verify(address, from)).toEqual({ state: "valid", key, expiresAt });
    expect(verify(address, new Date(expiresAt.getTime() - 1)).state).toBe("valid");
    expect(verify(address, expiresAt)).toEqual({ state: "expired" });
    expect(verify(address, after(400 * DAY_MS))).toEqual({ state: "expired" });
  });

  it("is invalid with one character changed, added or taken away, anywhere in it", () => {
    const address = urls.sign(key, from);
    const start = "/files/".length;
    for (let at = start; at < address.length; at += 1) {
      const other = address[at] === "A" ? "B" : "A";
      for (const forged of [
        address.slice(0, at) + other + address.slice(at + 1),
        address.slice(0, at) + address.slice(at + 1),
        `${address.slice(0, at)}0${address.slice(at)}`,
      ]) {
        // A doubled letter may be the letter that was there.
        if (forged !== address) expect(verify(forged, from), forged).toEqual({ state: "invalid" });
      }
    }
  });

  it("is invalid with a later end, also long after the true one", () => {
    const forged = urls.sign(key, from).replace("1772971200", "1872971200");
    expect(verify(forged, from)).toEqual({ state: "invalid" });
    expect(verify(forged, after(8 * DAY_MS))).toEqual({ state: "invalid" });
  });

  it("is invalid for another file, and under another server's secret", () => {
    const other = createKey("outputs", "png");
    const [, query] = urls.sign(key, from).split("?");
    expect(verify(`/files/${other.slice("outputs/".length)}?${query}`, from)).toEqual({ state: "invalid" });
    const stranger = createSignedUrls({ secret: "another secret", lifetimeMs: 7 * DAY_MS });
    expect(verify(urls.sign(key, from), from, stranger)).toEqual({ state: "invalid" });
  });

  const name = key.slice("outputs/".length);
  const signature = new URL(urls.sign(key, from), "http://h").searchParams.get("signature")!;
  it.each<[string, string, Record<string, unknown>]>([
    ["without a query", name, {}],
    ["without a signature", name, { expires: "1772971200" }],
    ["without an end", name, { signature }],
    ["with two ends", name, { expires: ["1772971200", "1772971200"], signature }],
    ["with two signatures", name, { expires: "1772971200", signature: [signature, signature] }],
    ["with a number for a text", name, { expires: 1772971200, signature }],
    ["with another spelling of its end", name, { expires: "01772971200", signature }],
    ["with padding", name, { expires: "1772971200", signature: `${signature}=` }],
    ["with letters that decoders skip", name, { expires: "1772971200", signature: `${signature}!` }],
    ["with a signature beyond ASCII", name, { expires: "1772971200", signature: "é".repeat(43) }],
    ["with a lone surrogate", name, { expires: "1772971200", signature: "\ud800" }],
    ["with a name that climbs", `../outputs/${name}`, { expires: "1772971200", signature }],
    ["with a name that climbs, encoded", `..%2Foutputs%2F${name}`, { expires: "1772971200", signature }],
    ["with a source's name", `../inputs/${name}`, { expires: "1772971200", signature }],
    ["with a line break in its name", `${name}\n`, { expires: "1772971200", signature }],
    ["with no name", "", { expires: "1772971200", signature }],
  ])("is invalid %s", (_, given, query) => {
    expect(urls.verify(given, query, from)).toEqual({ state: "invalid" });
  });

  it("is not made for a source, nor for what is no key", () => {
    for (const no of [createKey("inputs", "bin"), "outputs/../a.png", ""]) {
      expect(() => urls.sign(no, from)).toThrow("Only results have addresses.");
    }
  });
});
