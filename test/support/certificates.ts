/** Certificates of the tests, made by openssl when they are asked for. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "vitest";

export interface CertificateOptions {
  /** @default ES256 */
  keyType?: "es256" | "es384" | "ed25519" | "rsa";
  /** @default "emailProtection" */
  purpose?: string;
  isAuthority?: boolean;
  /** @default a day */
  days?: number;
  /** @default by the authority of the folder */
  isSelfSigned?: boolean;
}

export interface MadeCertificate {
  /** The chain, and its key. */
  certificates: string;
  key: string;
  /** The root that the chain leads to. */
  root: string;
}

/** @param parts arguments, in groups that belong together */
const openssl = (...parts: (string | readonly string[])[]): string =>
  execFileSync("openssl", parts.flat(), { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });

const KEY_ARGUMENTS = {
  es256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  es384: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  ed25519: ["-algorithm", "ED25519"],
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
} as const;

/** An authority for the tests of a file. @returns what makes certificates by it */
export function createAuthority(): (options?: CertificateOptions) => MadeCertificate {
  const folder = mkdtempSync(path.join(tmpdir(), "retouch-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const fileOf = (name: string): string => path.join(folder, name);
  const keyFile = (name: string, type: keyof typeof KEY_ARGUMENTS): string => {
    openssl("genpkey", KEY_ARGUMENTS[type], "-out", fileOf(`${name}.key`));
    return fileOf(`${name}.key`);
  };
  const rootKey = keyFile("root", "es256");
  const root = fileOf("root.pem");
  openssl(
    ["req", "-x509", "-new", "-key", rootKey, "-days", "3650", "-subj", "/CN=Root/O=Tests", "-out", root],
    ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  );
  let made = 0;
  return ({ keyType = "es256", purpose = "emailProtection", isAuthority, days = 1, isSelfSigned } = {}) => {
    const name = `leaf-${++made}`;
    const key = keyFile(name, keyType);
    const extensions = fileOf(`${name}.ext`);
    writeFileSync(
      extensions,
      [
        `basicConstraints=critical,CA:${isAuthority ? "TRUE" : "FALSE"}`,
        `keyUsage=critical,digitalSignature${isAuthority ? ",keyCertSign" : ""}`,
        `extendedKeyUsage=critical,${purpose}`,
        "subjectKeyIdentifier=hash",
        "authorityKeyIdentifier=keyid",
      ].join("\n"),
    );
    const [request, file] = [fileOf(`${name}.csr`), fileOf(`${name}.pem`)];
    openssl("req", "-new", "-key", key, "-subj", "/CN=Operator/O=Tests", "-out", request);
    const signer = isSelfSigned ? ["-signkey", key] : ["-CA", root, "-CAkey", rootKey, "-CAcreateserial"];
    openssl(
      ["x509", "-req", "-in", request, ...signer, "-days", String(days)],
      ["-extfile", extensions, "-out", file],
    );
    const [own, top] = [readFileSync(file, "utf8"), readFileSync(root, "utf8")];
    return { certificates: isSelfSigned ? own : own + top, key: readFileSync(key, "utf8"), root: top };
  };
}
