import { describe, expect, it } from "vitest";
import { readContentCredentials } from "../../src/config/c2pa-settings.ts";
import { readCredentials } from "../../src/c2pa/credentials.ts";
import { createAuthority } from "../support/certificates.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { writeFile } from "node:fs/promises";
import path from "node:path";

const make = createAuthority();
const now = (): Date => new Date();
const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000);

describe("a certificate of content credentials", () => {
  it.each(["es256", "es384", "ed25519", "rsa"] as const)("may have a key of %s", (keyType) => {
    const credentials = readCredentials(make({ keyType }), now());
    expect(credentials).toMatchObject({ algorithm: { name: keyType === "rsa" ? "ps256" : keyType } });
    // The root is what others trust, and stays away.
    expect(credentials).toHaveProperty("chain.length", 1);
  });

  it("may be on one line, as in an environment", () => {
    const { certificates, key } = make();
    const [one, other] = [certificates, key].map((text) => text.replaceAll("\n", "\\n"));
    expect(readCredentials({ certificates: one!, key: other! }, now())).toHaveProperty("chain");
  });

  it.each<[string, () => [{ certificates: string; key: string }, Date?], RegExp]>([
    [
      "text",
      () => [{ ...make(), certificates: "hunter2" }],
      /^must be certificates in PEM, the one that signs first$/,
    ],
    ["no key", () => [{ ...make(), key: "hunter2" }], /^must come with its private key in PEM \(PKCS #8\)$/],
    ["another key", () => [{ ...make(), key: make().key }], /^is of another key than the one that is given$/],
    [
      "one that expired",
      () => [make(), inDays(2)],
      /^of CN=Operator O=Tests expired on \d{4}-\d\d-\d\d$|expired on/,
    ],
    ["one of tomorrow", () => [make(), inDays(-1)], /is not valid before \d{4}-\d\d-\d\d$/],
    ["an authority's", () => [make({ isAuthority: true })], /^is an authority's/],
    ["one signed by itself", () => [make({ isSelfSigned: true })], /^is signed by itself/],
    ["a server's", () => [make({ purpose: "serverAuth" })], /^is for another purpose/],
    [
      "a chain of strangers",
      () => {
        const { certificates, key } = make();
        const [own] = certificates.split(/(?<=-----END CERTIFICATE-----\n)/);
        return [{ certificates: own! + make().certificates, key }];
      },
      /^is not signed by the one after it/,
    ],
  ])("is not %s", (_, given, sentence) => {
    const [texts, when = now()] = given();
    expect(readCredentials(texts, when)).toMatch(sentence);
  });
});

describe("the settings of content credentials", () => {
  const filesOf = async ({ certificates, key }: { certificates: string; key: string }) => {
    const folder = await temporaryFolder();
    const c2paCertificate = path.join(folder, "chain.pem");
    const c2paKey = path.join(folder, "key.pem");
    await writeFile(c2paCertificate, certificates);
    await writeFile(c2paKey, key);
    return { c2paCertificate, c2paKey };
  };

  it("are two files, or none", async () => {
    const made = make();
    expect(readContentCredentials(await filesOf(made))).toEqual({
      certificates: made.certificates,
      key: made.key,
    });
    expect(readContentCredentials({})).toBeUndefined();
    expect(() => readContentCredentials({ c2paKey: "x" })).toThrow(
      "RETOUCH_C2PA_CERTIFICATE and RETOUCH_C2PA_KEY must be given together.",
    );
  });

  it("are refused by name and with a day", async () => {
    const files = await filesOf(make());
    expect(() => readContentCredentials(files, inDays(2))).toThrow(
      /^RETOUCH_C2PA_CERTIFICATE: the certificate of .* expired on \d{4}-\d\d-\d\d\.$/,
    );
    expect(() => readContentCredentials({ ...files, c2paKey: path.dirname(files.c2paKey) })).toThrow(
      "RETOUCH_C2PA_KEY must name a file of at most 64 KB that this process may read.",
    );
  });
});
