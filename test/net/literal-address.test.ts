import { describe, expect, it } from "vitest";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { isRefusedLiterally } from "../../src/net/literal-address.ts";

const isRefused = (address: string, ...allowed: string[]): boolean =>
  isRefusedLiterally(createAddressPolicy(allowed), new URL(address));

describe("an address that is judged by itself", () => {
  it.each([
    "http://127.0.0.1/",
    "https://127.0.0.1:8443/hook",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://168.63.129.16/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://①②⑦.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:127.0.0.1",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]:81/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:a00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[64:ff9b:1::808:808]/",
    "http://[2002:7f00:1::]/",
    "http://[2001::1]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://localhost/",
    "http://LOCALHOST:9000/",
    "http://localhost./",
    "http://localhost../",
    "http://a.localhost/",
    "http://a.b.LocalHost./",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://local%68ost/",
  ])("%s is refused", (address) => {
    expect(isRefused(address)).toBe(true);
  });

  it.each([
    "http://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[64:ff9b::8.8.8.8]/",
    "https://hooks.example/127.0.0.1?to=localhost",
    "https://localhost.example/",
    "https://notlocalhost/",
    "https://127.0.0.1.example/",
    // What a name means is known when it is connected to.
    "http://nas.local/",
    "http://metadata.google.internal/",
  ])("%s is not", (address) => {
    expect(isRefused(address)).toBe(false);
  });

  it.each([
    ["http://127.0.0.1:9000/", "127.0.0.1", false],
    ["http://127.0.0.1:9000/", "127.0.0.1:9000", false],
    ["http://127.0.0.1:9001/", "127.0.0.1:9000", true],
    ["http://0x7f.1:9000/", "127.0.0.1:9000", false],
    ["http://127.0.0.1/", "127.0.0.1:80", false],
    ["https://127.0.0.1/", "127.0.0.1:80", true],
    ["https://127.0.0.1/", "127.0.0.1:443", false],
    ["http://10.9.9.9/", "10.0.0.0/8", false],
    ["http://[::ffff:10.9.9.9]/", "10.0.0.0/8", false],
    ["http://11.0.0.1/", "10.0.0.0/8", false],
    ["http://192.168.0.1/", "10.0.0.0/8", true],
    ["http://[::1]/", "::1", false],
    ["http://localhost/", "localhost", false],
    ["http://localhost./", "localhost", false],
    ["http://localhost:81/", "localhost:80", true],
    ["http://a.localhost/", "localhost", true],
    ["http://a.localhost/", "*.localhost", false],
    // Either is what it may stand for.
    ["http://localhost/", "127.0.0.1", false],
    ["http://localhost/", "::1", false],
    ["http://localhost/", "10.0.0.0/8", true],
  ])("%s with %s allowed is refused: %s", (address, allowed, refused) => {
    expect(isRefused(address, allowed)).toBe(refused);
  });
});
