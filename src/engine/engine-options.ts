/** What an engine is made with. */
import type { CredentialTexts } from "../c2pa/credential-texts.ts";
import type { ReferenceCache } from "../pipelines/pipeline.ts";
import type { ConversionProgress } from "../quantize/cache.ts";
import type { DeviceChoice } from "../runtime/devices.ts";
import type { RuntimeOptions } from "../runtime/session.ts";
import type { BatchChoice } from "./batches/batches.ts";
import type { WeightsChoice } from "./weights-choice.ts";

/** What an engine is made with; every option has a default. */
export interface EngineOptions {
  /** A checkpoint folder in the diffusers layout. @default the one that ships with this package */
  checkpoint?: string | undefined;
  /** A single file in the layout of the original repository or of ComfyUI, used instead of the folder's transformer. */
  transformer?: string | undefined;
  /** A single file of the same kind, used instead of the folder's autoencoder. */
  vae?: string | undefined;
  /** A single file with transformers' keys, as ComfyUI users have it, used instead of the folder's T5. */
  textEncoder?: string | undefined;
  /**
   * How the weights of the transformer and T5 are held in memory. `auto` reduces them only as far as necessary: float32
   * if everything can stay loaded, else 8 bits, else 4; a GGUF file keeps about the bits it has. `fp32` takes the
   * files' numbers as they are. Weights that the files do not hold in this kind are converted once, into `cacheFolder`.
   * @default "auto"
   */
  weights?: WeightsChoice | undefined;
  /**
   * Where converted weights are kept; they are about as large as the files they are made from.
   * @default `retouch` in the user's cache folder
   */
  cacheFolder?: string | undefined;
  /** Called while weights are converted, before the engine exists. */
  onConversion?: ((progress: ConversionProgress) => void) | undefined;
  /** Threads of the networks; 0 uses one per physical core. @default 0 */
  threads?: number | undefined;
  /** Bytes of memory the process may take. @default what the machine has available when the engine is created */
  memoryLimit?: number | undefined;
  /**
   * The device the networks run on; the safety checker always runs on the CPU. A device is refused whose numbers are
   * not the CPU's. `auto` takes the first hardware device that passes and was measured faster than the CPU.
   * @default "auto"
   */
  device?: DeviceChoice | undefined;
  /**
   * The type the transformer computes in. The CPU refuses bfloat16.
   * @default "float16" on a GPU that computes in it well enough, otherwise "float32"
   */
  computeType?: RuntimeOptions["computeType"];
  /**
   * `approximate` lets a FLUX.2 [klein] checkpoint run as `Flux2KleinKVPipeline` runs those that are trained for it: the
   * images' keys and values are computed once an edit, apart from text and target, instead of in every step. With one
   * image of 512*512 beside a result of that size, four steps of the 4B model then take 49 TFLOP in place of 71
   * (`countOperations`). What it costs of a picture has not been measured: that needs trained weights.
   * @default every step sees the images; checkpoints of that class always run so, exactly
   */
  referenceCache?: ReferenceCache | undefined;
  /**
   * How many images a run of the transformer takes, where it can take several: the images of an edit or of a group of
   * edits, and both passes of a step's guidance. `auto` measures it while edits are made, 1 has all alone, 2 to 4 has so many together.
   * Whatever it is, each image has the bits that it has alone.
   * @default "auto"
   */
  batch?: BatchChoice | undefined;
  /**
   * Bytes of encoded prompts and images that are kept in memory from edit to edit, up to what an edit leaves; the same
   * picture with another seed then begins with its first step. What nobody asked for in 30 minutes is dropped. 0 keeps
   * none.
   * @default 64 MB
   */
  encodingCache?: number | undefined;
  /** Images with more pixels are refused before they are decoded. @default 64,000,000 */
  maxPixels?: number | undefined;
  /** Whether results are refused as pornography, and from which score. */
  safety?: EngineSafety | undefined;
  /** LoRAs that edits may name, and their files. If there are any, every step takes slightly longer. @default {} */
  loras?: Readonly<Record<string, string>> | undefined;
  /** Whether the prompt is written into the result's metadata. @default false */
  isPromptInMetadata?: boolean | undefined;
  /** Whether the receipt is written into the result's metadata. @default true */
  isReceiptInMetadata?: boolean | undefined;
  /**
   * A certificate and its key, which give results content credentials (C2PA) in the optional package
   * `@contentauth/c2pa-wasm`. @default results have none
   */
  contentCredentials?: CredentialTexts | undefined;
  /**
   * Whether the memory that an edit worked with is returned after it, for programs that mostly wait. Edits take a few
   * hundredths longer. @default false
   */
  isMemoryReturned?: boolean | undefined;
  /**
   * Whether networks that can all stay loaded are loaded before there is an engine. Otherwise each is when an edit first
   * needs it, so the first step of the first edit comes sooner. @default true
   */
  isLoadedAhead?: boolean | undefined;
}

/** How an engine checks its results. */
export interface EngineSafety {
  /** False is final: no request can turn the check on. @default true */
  isOn?: boolean | undefined;
  /** Whether requests are prevented from turning the check off. @default false */
  isRequired?: boolean | undefined;
  /** Score from which a result is refused, 0 to 1. @default the checker's own, 0.7 */
  threshold?: number | undefined;
}
