/** Whom a call comes from, and under which scheme, where proxies stand before the server. */
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { ENDPOINT, INPUT, KEY, startServer } from "./server.ts";

const PROXY = "10.1.2.3";
const settings = { wrongKeyRate: 1, rateWindowMs: 60_000, trustedProxies: ["10.0.0.0/8", "2001:db8::1"] };

/** Whether a second wrong key from here is refused: the two calls then came from one address. */
async function areOneCaller(
  trustedProxies: string[] | undefined,
  ...calls: { remoteAddress: string; forwarded?: string }[]
): Promise<boolean> {
  const { inject } = await startServer({ ...settings, trustedProxies });
  const statuses: number[] = [];
  for (const { remoteAddress, forwarded } of calls) {
    const headers = {
      authorization: "Bearer wrong",
      ...(forwarded !== undefined && { "x-forwarded-for": forwarded }),
    };
    statuses.push((await inject({ url: `${ENDPOINT}/health`, remoteAddress, headers })).statusCode);
  }
  expect(statuses[0]).toBe(401);
  return statuses[1] === 429;
}

describe("the client's address", () => {
  it.each<[string, boolean, string[] | undefined, string, string, string, string]>([
    ["is the proxy's without the setting", true, undefined, PROXY, "192.0.2.1", PROXY, "192.0.2.2"],
    ["is what a trusted proxy says", false, settings.trustedProxies, PROXY, "192.0.2.1", PROXY, "192.0.2.2"],
    [
      "is the same behind two proxies",
      true,
      settings.trustedProxies,
      PROXY,
      "192.0.2.1",
      "10.9.9.9",
      "192.0.2.1",
    ],
    [
      "is the connection's where somebody else sends the header",
      true,
      settings.trustedProxies,
      "198.51.100.7",
      "192.0.2.1",
      "198.51.100.7",
      "192.0.2.2",
    ],
    [
      "is the last one that no trusted proxy has, whatever a client wrote before it",
      true,
      settings.trustedProxies,
      PROXY,
      "192.0.2.1, 198.51.100.7, 10.4.4.4",
      PROXY,
      "203.0.113.9, 198.51.100.7",
    ],
    [
      "may be of a proxy in IPv6",
      false,
      settings.trustedProxies,
      "2001:db8::1",
      "192.0.2.1",
      "2001:db8::1",
      "192.0.2.2",
    ],
    [
      "is that of a mapped proxy, too",
      false,
      settings.trustedProxies,
      `::ffff:${PROXY}`,
      "192.0.2.1",
      `::ffff:${PROXY}`,
      "192.0.2.2",
    ],
    [
      "is the proxy's where it sends none",
      true,
      settings.trustedProxies,
      PROXY,
      "unknown",
      PROXY,
      "nonsense",
    ],
  ])("%s", async (_, expected, trusted, first, one, second, other) => {
    const calls = [
      { remoteAddress: first, forwarded: one },
      { remoteAddress: second, forwarded: other },
    ];
    expect(await areOneCaller(trusted, ...calls)).toBe(expected);
  });
});

describe("the scheme of result URLs", () => {
  const submitted = async (remoteAddress: string, headers: Record<string, string>): Promise<string> => {
    const { inject, jobs } = await startServer(settings);
    const { statusCode } = await inject({
      method: "POST",
      url: `${ENDPOINT}/run`,
      remoteAddress,
      headers: { authorization: KEY, host: "edit.example.com", ...headers },
      payload: { input: INPUT },
    });
    expect(statusCode).toBe(200);
    return jobs.submitted[0]!.baseUrl;
  };

  it("is what a trusted proxy says, and nothing but http or https", async () => {
    expect(await submitted(PROXY, { "x-forwarded-proto": "https" })).toBe("https://edit.example.com");
    expect(await submitted(PROXY, { "x-forwarded-proto": "javascript" })).toBe("http://edit.example.com");
    expect(await submitted("198.51.100.7", { "x-forwarded-proto": "https" })).toBe("http://edit.example.com");
  });

  it("comes with the Host of the call, which another header does not replace", async () => {
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "evil.example" };
    expect(await submitted(PROXY, headers)).toBe("https://edit.example.com");
  });
});

describe("RETOUCH_TRUSTED_PROXIES", () => {
  const read = (value: string): readonly string[] | undefined =>
    readConfig({ RETOUCH_TRUSTED_PROXIES: value }).trustedProxies;

  it("takes addresses and networks", () => {
    expect(read("127.0.0.1, 10.0.0.0/8,::1,fd00::/8")).toEqual([
      "127.0.0.1",
      "10.0.0.0/8",
      "::1",
      "fd00::/8",
    ]);
    expect(read("")).toBeUndefined();
  });

  it.each([
    "localhost",
    "10.0.0.0/33",
    "10.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "::1/129",
    "10.0.0.0/8/8",
    "10.0.0.0/",
    "fe80::1%eth0",
    "10.0.0.1:80",
  ])("refuses %s by name", (entry) => {
    expect(() => read(`127.0.0.1,${entry}`)).toThrow(
      new RegExp(
        `RETOUCH_TRUSTED_PROXIES must be up to 100 comma-separated IP addresses and networks.*${entry.replace(/[/.]/g, "\\$&")}`,
      ),
    );
  });
});
