/** What the routes of receipts reply. */
import { Type } from "typebox";

const Count = Type.Integer({ minimum: 0 });
const Sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const FileDigest = Type.Object({ sha256: Sha256, bytes: Count });
/** docs/provenance.md explains its members; a receipt is sent as it was signed. */
export const ReceiptReply = Type.Object(
  {
    type: Type.Literal("retouch-receipt"),
    version: Type.Literal(1),
    program: Type.String(),
    checkpoint: Type.Object({ name: Type.String(), digest: Type.String() }),
    graph: Sha256,
    weights: Type.Record(Type.String(), Type.String()),
    arithmetic: Type.String(),
    runtime: Type.String(),
    device: Type.String(),
    processor: Type.String(),
    tiles: Type.String(),
    loras: Type.Array(Type.Object({ name: Type.String(), scale: Type.Number(), sha256: Type.String() })),
    inputs: Type.Array(FileDigest),
    mask: Type.Optional(FileDigest),
    parameters: Type.Record(Type.String(), Type.Unknown()),
    seed: Count,
    noise: Type.Object({ generator: Type.String(), sha256: Type.Optional(Sha256) }),
    result: Type.Object({
      format: Type.String(),
      width: Count,
      height: Count,
      pixels: Sha256,
      metadata: Sha256,
    }),
    file: Type.Optional(FileDigest),
    signature: Type.Optional(
      Type.Object({ algorithm: Type.Literal("Ed25519"), key: Type.String(), value: Type.String() }),
    ),
  },
  { description: "By what a result was made, of what, and which pixels came of it; signed." },
);
export const KeySet = Type.Object(
  {
    keys: Type.Array(
      Type.Object({
        kty: Type.Literal("OKP"),
        crv: Type.Literal("Ed25519"),
        x: Type.String(),
        kid: Type.String(),
        alg: Type.Literal("EdDSA"),
        use: Type.Literal("sig"),
      }),
    ),
  },
  { description: "A JWK set (RFC 7517)." },
);
