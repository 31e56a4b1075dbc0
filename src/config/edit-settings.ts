/** Settings of the engine, of the check of its results, and of the images that requests may name. */
import { loras } from "./lora-list.ts";
import { models } from "./model-list.ts";
import { byteSize, choice, decimal, duration, flag, integer, list, price, text } from "./parsers.ts";
import { optional, required, type Settings } from "./setting.ts";

export const ENGINE = {
  checkpoint: optional(
    "RETOUCH_CHECKPOINT",
    text,
    "checkpoints/tiny",
    "Checkpoint folder in the layout of diffusers, or org/name as `retouch pull` has it; without it, the demo that ships.",
  ),
  models: optional(
    "RETOUCH_MODELS",
    models,
    "klein=black-forest-labs/FLUX.2-klein-4B",
    "Further endpoints beside that of RETOUCH_CHECKPOINT, id=checkpoint with commas between them; without it, none.",
  ),
  workerEndpoints: optional(
    "RETOUCH_WORKER_ENDPOINTS",
    list,
    "klein",
    "Ids of the endpoints whose jobs the workers of this program take; without it, all.",
  ),
  modelTurnMs: required(
    "RETOUCH_MODEL_TURN",
    duration("0ms", "1h"),
    "60s",
    "How long a worker stays with the models that it has loaded while jobs wait for others, which memory keeps out.",
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
    "What the weights of transformer and T5 or Qwen3 are in memory; auto takes as many bits as fit.",
  ),
  cacheDir: optional(
    "RETOUCH_CACHE_DIR",
    text,
    "/var/cache/retouch",
    "Folder of converted weights; without it, `retouch` in the user's cache folder.",
  ),
  history: required(
    "RETOUCH_HISTORY",
    flag,
    "false",
    "Whether `retouch edit` and `retouch mcp` remember their edits in that folder, for --from-original; the service has its jobs.",
  ),
  loras: optional(
    "RETOUCH_LORAS",
    loras,
    "style=loras/style.safetensors",
    "LoRAs that requests may name: a folder of .safetensors files, or name=file,name=file; without it, none.",
  ),
  threads: required(
    "RETOUCH_THREADS",
    integer(0, 1024),
    "0",
    "Threads of a worker; 0 takes one a physical core.",
  ),
  memoryLimit: optional(
    "RETOUCH_MEMORY_LIMIT",
    byteSize("100MB", "4096GB"),
    "12GB",
    "Memory that each worker may take; without it, what the machine or the container has left at the start, in equal shares.",
  ),
  device: required(
    "RETOUCH_DEVICE",
    choice("auto", "cpu", "cuda", "webgpu", "coreml", "dml"),
    "auto",
    "What the networks run on; auto takes a GPU that computes as the processor does and was measured faster, or else the processor.",
  ),
  computeType: optional(
    "RETOUCH_COMPUTE_TYPE",
    choice("float32", "float16", "bfloat16"),
    "float32",
    "What the transformer computes in; without it, float16 on a GPU that computes in it well enough, or else float32. The processor refuses bfloat16.",
  ),
  referenceCache: optional(
    "RETOUCH_REFERENCE_CACHE",
    choice("approximate"),
    "approximate",
    "approximate lets FLUX.2 [klein] look at its images once an edit; without it, in every step. Other models always do so.",
  ),
  encodingCache: required(
    "RETOUCH_ENCODING_CACHE",
    byteSize("0", "64GB"),
    "64MB",
    "Encoded prompts and images that each engine keeps in memory, apart for each API key; 0 keeps none.",
  ),
  batch: required(
    "RETOUCH_BATCH",
    choice("auto", "1", "2", "3", "4"),
    "auto",
    "Images of one job that a run of the transformer takes, both passes of a guided step among them: as many as was measured to be faster on this processor, or 1, or up to so many. No result changes by it.",
  ),
  workers: required(
    "RETOUCH_WORKERS",
    integer(0, 64),
    "1",
    "Workers that `retouch serve` starts itself; 0 where all of them run elsewhere.",
  ),
  safety: required(
    "RETOUCH_SAFETY",
    choice("optional", "required", "off"),
    "optional",
    "Safety checker of results: on unless a request turns it off, always on, or never.",
  ),
  safetyThreshold: optional(
    "RETOUCH_SAFETY_THRESHOLD",
    decimal(0, 1),
    "0.9",
    "Score from which a result is refused; without it, the checker's own.",
  ),
  metadataPrompt: required(
    "RETOUCH_METADATA_PROMPT",
    flag,
    "false",
    "Whether the prompt is written into the metadata of results.",
  ),
  price: required("RETOUCH_PRICE", price, "0.03/megapixel", "What a completed edit is said to cost."),
} satisfies Settings;

export const PICTURES = {
  allowPrivateHosts: {
    ...required(
      "RETOUCH_ALLOW_PRIVATE_HOSTS",
      list,
      "",
      "Hosts, host:port, addresses and networks that requests may name although they are not public.",
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
    "Time for the download of a source image.",
  ),
  minSide: required(
    "RETOUCH_MIN_SIDE",
    integer(16, 4096),
    "256",
    "Shortest side of a result that `size` may ask for.",
  ),
  maxSide: required(
    "RETOUCH_MAX_SIDE",
    integer(16, 4096),
    "1536",
    "Longest side of a result that `size` may ask for in numbers; `source` is bound by RETOUCH_IMAGE_MAX_PIXELS alone.",
  ),
} satisfies Settings;
