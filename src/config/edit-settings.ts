/** Settings of the engine, of the check of its results, and of the images that requests may name. */
import { loras } from "./lora-list.ts";
import { models } from "./model-list.ts";
import { receiptKey } from "./receipt-key.ts";
import { byteSize, choice, decimal, duration, flag, integer, list, price, text } from "./parsers.ts";
import { optional, required, secret, type Settings } from "./setting.ts";

/** What becomes of a result that the safety checker flags. */
export const FLAGGED_ACTIONS = ["refuse", "hold"] as const;
export type FlaggedAction = (typeof FLAGGED_ACTIONS)[number];

export const ENGINE = {
  checkpoint: optional(
    "RETOUCH_CHECKPOINT",
    text,
    "checkpoints/tiny",
    "Checkpoint folder in the layout of diffusers, or org/name as downloaded by `retouch pull`; without it, the demo that ships.",
  ),
  models: optional(
    "RETOUCH_MODELS",
    models,
    "klein=black-forest-labs/FLUX.2-klein-4B",
    "Further endpoints besides that of RETOUCH_CHECKPOINT, as id=checkpoint, separated by commas; none by default.",
  ),
  workerEndpoints: optional(
    "RETOUCH_WORKER_ENDPOINTS",
    list,
    "klein",
    "Ids of the endpoints whose jobs this program's workers take; all by default.",
  ),
  modelTurnMs: required(
    "RETOUCH_MODEL_TURN",
    duration("0ms", "1h"),
    "60s",
    "How long a worker keeps its loaded models while jobs wait for other models that do not fit beside them.",
  ),
  transformer: optional(
    "RETOUCH_TRANSFORMER",
    text,
    "flux1-kontext-dev.safetensors",
    "Single file instead of the folder's transformer.",
  ),
  vae: optional("RETOUCH_VAE", text, "ae.safetensors", "Single file instead of the folder's autoencoder."),
  textEncoder: optional(
    "RETOUCH_TEXT_ENCODER",
    text,
    "t5xxl_fp16.safetensors",
    "Single file instead of the folder's T5 or Qwen3.",
  ),
  weights: required(
    "RETOUCH_WEIGHTS",
    choice("auto", "fp32", "fp16", "bf16", "int8", "int4"),
    "auto",
    "Type of the transformer's and the text encoder's weights in memory; auto takes as many bits as fit.",
  ),
  cacheDir: optional(
    "RETOUCH_CACHE_DIR",
    text,
    "/var/cache/retouch",
    "Folder for converted weights; by default `retouch` in the user's cache folder.",
  ),
  history: required(
    "RETOUCH_HISTORY",
    flag,
    "false",
    "Whether `retouch edit` and `retouch mcp` remember their edits in that folder, for --from-original; the service uses its jobs instead.",
  ),
  loras: optional(
    "RETOUCH_LORAS",
    loras,
    "style=loras/style.safetensors",
    "LoRAs that requests may use: a folder of .safetensors files, or name=file,name=file; none by default.",
  ),
  threads: required(
    "RETOUCH_THREADS",
    integer(0, 1024),
    "0",
    "Threads of a worker; 0 takes one per physical core.",
  ),
  memoryLimit: optional(
    "RETOUCH_MEMORY_LIMIT",
    byteSize("100MB", "4096GB"),
    "12GB",
    "Memory that each worker may use; by default an equal share of what the machine or the container has free at the start.",
  ),
  device: required(
    "RETOUCH_DEVICE",
    choice("auto", "cpu", "cuda", "webgpu", "coreml", "dml"),
    "auto",
    "What the networks run on; auto takes a GPU if its results match the processor's and it was measured to be faster, and the processor otherwise.",
  ),
  computeType: optional(
    "RETOUCH_COMPUTE_TYPE",
    choice("float32", "float16", "bfloat16"),
    "float32",
    "Number type in which the transformer computes; by default float16 on a GPU that computes accurately enough in it, otherwise float32. The processor refuses bfloat16.",
  ),
  referenceCache: optional(
    "RETOUCH_REFERENCE_CACHE",
    choice("approximate"),
    "approximate",
    "approximate lets FLUX.2 [klein] look at its images once per edit; by default it does so in every step. Other models always do so in every step.",
  ),
  encodingCache: required(
    "RETOUCH_ENCODING_CACHE",
    byteSize("0", "64GB"),
    "64MB",
    "Memory in which each engine keeps encoded prompts and images, separately for each API key; 0 keeps none.",
  ),
  batch: required(
    "RETOUCH_BATCH",
    choice("auto", "1", "2", "3", "4"),
    "auto",
    "Images that one run of the transformer takes, of one job or of several waiting jobs, counting both passes of a guided step: auto takes as many as were measured to be faster on this processor, a number takes up to that many. Results do not depend on it.",
  ),
  workers: required(
    "RETOUCH_WORKERS",
    integer(0, 64),
    "1",
    "Number of workers that `retouch serve` starts itself; 0 if all of them run elsewhere.",
  ),
  safety: required(
    "RETOUCH_SAFETY",
    choice("optional", "required", "off"),
    "optional",
    "Safety checker for results: on unless a request turns it off, always on, or never on.",
  ),
  safetyThreshold: optional(
    "RETOUCH_SAFETY_THRESHOLD",
    decimal(0, 1),
    "0.9",
    "Score from which a result is refused; by default the checker's own.",
  ),
  flagged: required(
    "RETOUCH_SAFETY_FLAGGED",
    choice(...FLAGGED_ACTIONS),
    "refuse",
    "What becomes of a result from that score on: refused, or held until an operator has decided.",
  ),
  reviewTimeoutMs: required(
    "RETOUCH_REVIEW_TIMEOUT",
    duration("1s", "30d"),
    "72h",
    "How long a held result waits for an operator; then it is refused.",
  ),
  metadataPrompt: required(
    "RETOUCH_METADATA_PROMPT",
    flag,
    "false",
    "Whether the prompt is written into the metadata of results.",
  ),
  metadataReceipt: required(
    "RETOUCH_METADATA_RECEIPT",
    flag,
    "true",
    "Whether results have their receipt in their metadata; /receipt has it in any case.",
  ),
  receiptKey: secret(
    "RETOUCH_RECEIPT_KEY",
    receiptKey,
    // https://www.rfc-editor.org/rfc/rfc8037#appendix-A.1
    "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "Signs the receipts of results (`retouch keys create-receipt-key` makes one); without it, `retouch serve` makes one for itself, and commands sign none.",
  ),
  revokedReceiptKeys: optional(
    "RETOUCH_REVOKED_RECEIPT_KEYS",
    list,
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    "Ids of keys whose receipts no longer count, with commas between them; without it, all that ever signed here do.",
  ),
  c2paCertificate: optional(
    "RETOUCH_C2PA_CERTIFICATE",
    text,
    "/etc/retouch/c2pa-chain.pem",
    "File of a certificate and those between it and a root: results then have content credentials (C2PA); without it, none.",
  ),
  c2paKey: optional(
    "RETOUCH_C2PA_KEY",
    text,
    "/etc/retouch/c2pa-key.pem",
    "File of the private key of that certificate, in PEM (PKCS #8).",
  ),
  price: required("RETOUCH_PRICE", price, "0.03/megapixel", "What a completed edit is reported to cost."),
} satisfies Settings;

export const PICTURES = {
  allowPrivateHosts: {
    ...required(
      "RETOUCH_ALLOW_PRIVATE_HOSTS",
      list,
      "",
      "Hosts, host:port, addresses and networks that requests may use although they are not public.",
    ),
    example: "nas.local,10.0.0.0/8",
  },
  imageMaxBytes: required("RETOUCH_IMAGE_MAX_BYTES", byteSize("1KB", "1GB"), "20MB", "Largest source image."),
  imageMaxPixels: required(
    "RETOUCH_IMAGE_MAX_PIXELS",
    integer(1, 1_000_000_000),
    "64000000",
    "Most pixels of a source image.",
  ),
  imageTimeoutMs: required(
    "RETOUCH_IMAGE_TIMEOUT",
    duration("100ms", "10m"),
    "30s",
    "Time limit for downloading a source image.",
  ),
  minSide: required(
    "RETOUCH_MIN_SIDE",
    integer(16, 4096),
    "256",
    "Shortest side of a result that `size` may request.",
  ),
  maxSide: required(
    "RETOUCH_MAX_SIDE",
    integer(16, 4096),
    "1536",
    "Longest side of a result that `size` may request in numbers; `source` is limited only by RETOUCH_IMAGE_MAX_PIXELS.",
  ),
} satisfies Settings;
