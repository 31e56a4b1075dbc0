import { describe, expect, it } from "vitest";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { refusal } from "../support/refusal.ts";

const target = { hostname: "pictures.test", port: 443 };

describe("an address policy without entries", () => {
  const policy = createAddressPolicy([]);

  it.each([
    "8.8.8.8",
    "1.0.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::8.8.8.8",
    "64:ff9b::808:808",
  ])("allows %s, a public address", (address) => {
    expect(policy.isAllowed(address, target)).toBe(true);
  });

  it.each([
    ["0.0.0.0", "this machine"],
    ["0.1.2.3", "this network"],
    ["10.0.0.1", "private"],
    ["100.64.0.1", "a carrier's own"],
    ["100.100.100.200", "a carrier's own, and a cloud's metadata"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["168.63.129.16", "a cloud's platform"],
    ["169.254.169.254", "link-local, and a cloud's metadata"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.192", "reserved, and a cloud's metadata"],
    ["192.0.2.1", "documentation"],
    ["192.88.99.1", "6to4 relays"],
    ["192.168.1.1", "private"],
    ["198.18.0.1", "benchmarks"],
    ["198.19.255.255", "benchmarks"],
    ["198.51.100.1", "documentation"],
    ["203.0.113.1", "documentation"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.250", "multicast"],
    ["240.0.0.1", "reserved"],
    ["255.255.255.255", "broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::7f00:1", "the old form of IPv4 in IPv6"],
    ["::127.0.0.1", "the old form of IPv4 in IPv6"],
    ["::8.8.8.8", "the old form of IPv4 in IPv6, public or not"],
    ["::ffff:127.0.0.1", "mapped loopback"],
    ["::ffff:7f00:1", "mapped loopback"],
    ["::ffff:10.0.0.1", "mapped private"],
    ["::ffff:169.254.169.254", "mapped link-local"],
    ["::ffff:0:8.8.8.8", "translated IPv4"],
    ["64:ff9b::127.0.0.1", "loopback behind NAT64"],
    ["64:ff9b::a00:1", "private behind NAT64"],
    ["64:ff9b::a9fe:a9fe", "metadata behind NAT64"],
    ["64:ff9b:1::808:808", "a site's own NAT64"],
    ["100::1", "discarded"],
    ["2001::1", "Teredo"],
    ["2001:2::1", "benchmarks"],
    ["2001:10::1", "ORCHID"],
    ["2001:db8::1", "documentation"],
    ["3fff::1", "documentation"],
    ["2002:7f00:1::", "6to4 of loopback"],
    ["2002:808:808::1", "6to4, whoever is behind it"],
    ["4000::1", "given out to nobody"],
    ["5f00::1", "segment routing"],
    ["fc00::1", "unique local"],
    ["fd00:ec2::254", "unique local, and a cloud's metadata"],
    ["fe80::1", "link-local"],
    ["fe80::1%eth0", "link-local with a zone"],
    ["2606:4700::1111%1", "public with a zone, which there is no such thing as"],
    ["fec0::1", "site-local"],
    ["ff02::1", "multicast"],
    ["", "nothing"],
    ["pictures.test", "a name"],
    ["2130706433", "a number"],
    ["0x7f.1", "hexadecimal"],
    ["0177.0.0.1", "octal"],
  ])("refuses %s: %s", (address) => {
    expect(policy.isAllowed(address, target)).toBe(false);
  });
});

describe("an entry", () => {
  const inside = ["10.1.2.3", "fd00::1"] as const;

  it.each([
    ["a name", "nas.local", { hostname: "nas.local", port: 80 }, true],
    ["a name in capitals, with its last dot", "NAS.local.", { hostname: "nas.local", port: 80 }, true],
    ["a name that a URL spells with its last dot", "nas.local", { hostname: "nas.local.", port: 80 }, true],
    ["a name", "nas.local", { hostname: "my.nas.local", port: 80 }, false],
    ["a name", "nas.local", { hostname: "nas.local.evil.test", port: 80 }, false],
    ["a name with a port", "nas.local:9000", { hostname: "nas.local", port: 9000 }, true],
    ["a name with a port", "nas.local:9000", { hostname: "nas.local", port: 22 }, false],
    ["a suffix", "*.local", { hostname: "nas.local", port: 80 }, true],
    ["a suffix", "*.local", { hostname: "a.nas.local", port: 80 }, true],
    ["a suffix", "*.local", { hostname: "local", port: 80 }, false],
    ["a suffix", "*.local", { hostname: "evil-local", port: 80 }, false],
    ["a suffix with a port", "*.local:81", { hostname: "nas.local", port: 81 }, true],
    ["a suffix with a port", "*.local:81", { hostname: "nas.local", port: 80 }, false],
  ])("that is %s, %s, decides for every address of %o: %s", (_, entry, name, isAllowed) => {
    const policy = createAddressPolicy([entry]);
    expect(inside.map((address) => policy.isAllowed(address, name))).toEqual([isAllowed, isAllowed]);
  });

  it.each([
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["10.1.2.3", "::ffff:10.1.2.3", true],
    ["10.1.2.3", "64:ff9b::10.1.2.3", true],
    ["::ffff:10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3:443", "10.1.2.3", true],
    ["10.1.2.3:80", "10.1.2.3", false],
    ["fd00::1", "fd00:0::1", true],
    ["fd00::1", "fd00::2", false],
    ["[fd00::1]", "fd00::1", true],
    ["[fd00::1]:443", "fd00::1", true],
    ["[fd00::1]:80", "fd00::1", false],
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", true],
    ["10.0.0.0/8", "127.0.0.1", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["10.0.0.0/8", "fd00::1", false],
    ["fd00::/8", "fdff::1", true],
    ["fd00::/8", "fe80::1", false],
    ["fd00::/8", "10.0.0.1", false],
    ["127.0.0.1/32", "127.0.0.2", false],
    ["0.0.0.0/0", "127.0.0.1", true],
    ["::/0", "127.0.0.1", false],
  ])("%s decides for %s at port 443: %s", (entry, address, isAllowed) => {
    expect(createAddressPolicy([entry]).isAllowed(address, target)).toBe(isAllowed);
  });

  it("is one of several, and takes nothing from what is public", () => {
    const policy = createAddressPolicy(["nas.local:9000", "10.0.0.0/8"]);
    const isAllowed = ["10.0.0.1", "8.8.8.8", "192.168.0.1"].map((text) => policy.isAllowed(text, target));
    expect(isAllowed).toEqual([true, true, false]);
  });

  it.each([
    "",
    " ",
    "*",
    "*.",
    "a b",
    "http://nas.local",
    "nas.local/",
    "nas.*",
    "*nas.local",
    "nas..local",
    "nas.local:",
    "nas.local:0",
    "nas.local:65536",
    "nas.local:http",
    "user@nas.local",
    "127.1",
    "0x7f.1",
    "2130706433",
    "10.0.0.256",
    "*.0.0.1",
    "10/8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8:80",
    "fd00::/129",
    "[fd00::1",
    "[nas.local]",
    "[10.0.0.1]:80:80",
    "fe80::1%eth0",
    "fd00::1::2",
  ])("%j is refused as none", (entry) => {
    const sentence = `RETOUCH_ALLOW_PRIVATE_HOSTS must name hosts, addresses or networks, not ${JSON.stringify(entry)}.`;
    expect(() => createAddressPolicy(["nas.local", entry])).toThrow(
      refusal("CONFIG_INVALID", sentence) as Error,
    );
  });
});
