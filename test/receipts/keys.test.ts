import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createKeyPem, isSignedBy, readPublicKeys, readSigningKey } from "../../src/receipts/keys.ts";

// https://www.rfc-editor.org/rfc/rfc8037#appendix-A
const D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
const SIGNED = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

describe("the key of RFC 8037", () => {
  const key = readSigningKey(D)!;

  it("has the public half and the thumbprint that stand there", () => {
    expect(key.id).toBe(THUMBPRINT);
    expect(key.publicJwk).toEqual({
      kty: "OKP",
      crv: "Ed25519",
      x: X,
      kid: THUMBPRINT,
      alg: "EdDSA",
      use: "sig",
    });
  });

  it("signs as it does there", () => {
    expect(key.sign(Buffer.from(SIGNED))).toBe(SIGNATURE);
    expect(isSignedBy(key.publicJwk, Buffer.from(SIGNED), SIGNATURE)).toBe(true);
    expect(isSignedBy(key.publicJwk, Buffer.from(`${SIGNED}.`), SIGNATURE)).toBe(false);
    expect(isSignedBy(key.publicJwk, Buffer.from(SIGNED), `${SIGNATURE}A`)).toBe(false);
  });
});

describe("a private key", () => {
  it("is read from PEM on one line or several", () => {
    const pem = createKeyPem();
    const key = readSigningKey(pem)!;
    expect(readSigningKey(pem.trim().replaceAll("\n", "\\n"))?.id).toBe(key.id);
    const signature = key.sign(Buffer.from("text"));
    expect(isSignedBy(key.publicJwk, Buffer.from("text"), signature)).toBe(true);
  });

  it.each([
    ["nothing", ""],
    ["a word", "hunter2"],
    ["half of one", D.slice(1)],
    [
      "one of another kind",
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
    ],
  ])("is not %s", (_, text) => expect(readSigningKey(text as string)).toBeUndefined());
});

describe("public keys", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const jwk = publicKey.export({ format: "jwk" });
  const pem = publicKey.export({ type: "spki", format: "pem" }) as string;

  it("are read in PEM, as JWK and as a set, by their own numbers", () => {
    const [found] = readPublicKeys(pem);
    expect(found!.x).toBe(jwk.x);
    expect(readPublicKeys(JSON.stringify(jwk))).toEqual([found]);
    const set = { keys: [{ ...jwk, kid: "another" }, { kty: "RSA" }, null, 4] };
    expect(readPublicKeys(JSON.stringify(set))).toEqual([found]);
    expect(readPublicKeys(privateKey.export({ type: "pkcs8", format: "pem" }) as string)).toEqual([found]);
  });

  it.each(["", "{", "[]", "{}", '{"keys":4}', "null", '{"kty":"OKP","crv":"Ed25519","x":"short"}'])(
    "are none in %j",
    (text) => expect(readPublicKeys(text)).toEqual([]),
  );
});
