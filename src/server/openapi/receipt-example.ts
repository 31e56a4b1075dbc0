/** A receipt as `/receipt/{id}` answers it, with a key that signs. */
export const KEY_ID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
export const PUBLIC_KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/** Stands for digests that depend on the files. */
const digest = (character: string): string => character.repeat(64);

export const RECEIPT = {
  type: "retouch-receipt",
  version: 1,
  program: "retouch 0.1.0",
  checkpoint: { name: "tiny", digest: digest("5") },
  graph: digest("a"),
  weights: { transformer: "fp32" },
  arithmetic: "fp32",
  runtime: "onnxruntime 1.30.0",
  device: "cpu",
  processor: "AVX-512",
  tiles: "512",
  loras: [],
  inputs: [{ sha256: digest("b"), bytes: 152_004 }],
  parameters: { numSteps: 28, guidance: 2, prompt: { sha256: digest("c"), characters: 13 } },
  seed: 8,
  noise: { generator: "torch", sha256: digest("d") },
  result: { format: "png", width: 1024, height: 1024, pixels: digest("e"), metadata: digest("f") },
  file: { sha256: digest("1"), bytes: 1_204_331 },
  signature: { algorithm: "Ed25519", key: KEY_ID, value: "A".repeat(86) },
};
