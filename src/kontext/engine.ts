/**
 * The door between a program and the networks: opens a checkpoint, keeps as much of it loaded as memory allows, and
 * does one edit at a time, since a second one beside it would only make both slower.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { failure, invalid, RetouchError } from "../errors.ts";
import { decodePicture } from "../images/decode.ts";
import { encodePicture, type OutputFormat } from "../images/encode.ts";
import { editMetadata } from "../images/metadata.ts";
import { identityOf, LoraShelf } from "../lora/shelf.ts";
import { createFindTarget } from "../lora/targets.ts";
import type { Picture } from "../images/picture.ts";
import { readMachineMemory, usableBytes } from "../machine/memory.ts";
import type { ConversionProgress } from "../quantize/cache.ts";
import { type ChosenDevice, chooseDevice, type DeviceChoice } from "../runtime/devices.ts";
import { loadRuntime } from "../runtime/onnxruntime.ts";
import type { RuntimeOptions } from "../runtime/session.ts";
import { version } from "../version.ts";
import { Checkpoint, checkpointName } from "../weights/checkpoint.ts";
import { createSafetyChecker, type SafetyChecker } from "../safety/checker.ts";
import type { SafetyVerdict } from "../safety/verdict.ts";
import { abortError, type EditStep, editPicture } from "./edit.ts";
import type { Kept } from "./keep-unchanged.ts";
import type { NetworkKinds } from "./memory-plan.ts";
import { Networks } from "./networks.ts";
import { type EditRequest, resolveRequest, type ResolvedRequest, type Size } from "./request.ts";
import { WEIGHTS_CHOICES, type WeightsChoice } from "./weights-choice.ts";

export type { ConversionProgress };

/** The checkpoint in this package: a small one for clip-art scenes. */
export const SHIPPED_CHECKPOINT = fileURLToPath(new URL("../../checkpoints/tiny", import.meta.url));

export interface EngineOptions {
  /** A checkpoint folder in the layout of diffusers. @default the one that ships with this package */
  checkpoint?: string | undefined;
  /** A single file in the layout of the original repository or of ComfyUI, in the place of the folder's transformer. */
  transformer?: string | undefined;
  /** The same in the place of its autoencoder. */
  vae?: string | undefined;
  /** A single file under the keys of transformers, as ComfyUI's users have it, in the place of the folder's T5. */
  textEncoder?: string | undefined;
  /**
   * What the weights of transformer and T5 are in memory: as few bits as must be (`auto`: float32 where everything can
   * stay loaded, else 8 bits, else 4; of a GGUF file about as many as it has), or one kind. `fp32` takes the numbers of
   * the files as they are. What the files do not hold in this kind is converted once and kept in `cacheFolder`.
   * @default "auto"
   */
  weights?: WeightsChoice | undefined;
  /**
   * Where converted weights are kept: about as large as the files they are made of.
   * @default `retouch` in the user's cache folder
   */
  cacheFolder?: string | undefined;
  /** Called while weights are converted, before the engine is there. */
  onConversion?: ((progress: ConversionProgress) => void) | undefined;
  /** Threads of the networks; 0 takes one a physical core. @default 0 */
  threads?: number | undefined;
  /** Bytes of memory that the process may take. @default what the machine has to give when the engine is made */
  memoryLimit?: number | undefined;
  /**
   * What the networks run on; the safety checker's runs on the processor. `auto` takes CUDA where its provider was
   * installed and works, and the processor otherwise. @default "auto"
   */
  device?: DeviceChoice | undefined;
  /**
   * What the transformer computes in. Half precision is for GPUs, where it was not compared with the reference yet, so
   * it is taken only where it is asked for; the processor refuses bfloat16.
   * @default "float32"
   */
  computeType?: RuntimeOptions["computeType"];
  /** Pictures with more pixels are refused before they are decoded. @default 64,000,000 */
  maxPixels?: number | undefined;
  /** Whether and from which score on results are refused as pornography. */
  safety?: EngineSafety | undefined;
  /** LoRAs that edits may name, and their files. Where there are any, every step takes a little longer. @default {} */
  loras?: Readonly<Record<string, string>> | undefined;
  /** Whether the instruction is written into the result's metadata. @default false */
  isPromptInMetadata?: boolean | undefined;
}

export interface EngineSafety {
  /** Off means off: no request can turn the check on. @default true */
  isOn?: boolean | undefined;
  /** Whether no request can turn it off. @default false */
  isRequired?: boolean | undefined;
  /** Score from which a result is refused, 0 to 1. @default the checker's own, 0.7 */
  threshold?: number | undefined;
}

export interface CheckpointInfo {
  folder: string;
  /** The name of the transformer's single file; where there is none, of the repository it was pulled from, or of the folder. */
  name: string;
  /** Whether it is the small checkpoint that ships with this package, and that alone. */
  isDemo: boolean;
  /** Side of the square that it was trained at, in pixels. */
  nativeSize: number;
  /** Side of a token, in pixels. */
  grid: number;
  /** What the weights of transformer and T5 are loaded as. */
  weights: NetworkKinds;
}

/** Every parameter that was in effect. */
export interface EditParameters extends Omit<ResolvedRequest, "size" | "negativePrompt" | "trueCfgScale"> {
  size: Size;
  /** Empty where there was no second pass. */
  negativePrompt: string;
  /** 1 where there was no second pass. */
  trueCfgScale: number;
}

export interface EditResult {
  /** The encoded picture, with the parameters in its XMP metadata. */
  image: Uint8Array;
  format: OutputFormat;
  width: number;
  height: number;
  parameters: EditParameters;
  /** Size at which the network drew the result, before it was enlarged to `width` x `height`. */
  workingSize: Size;
  /** Size at which the network saw the picture. */
  referenceSize: Size;
  /** What is the picture's own, where that was asked for; absent where the result has another shape than the picture. */
  kept?: Kept | undefined;
  /** Sentences that the user should see, such as that the prompt was cut. */
  notices: string[];
  /** Where the result was checked: its score, 0 to 1, and from which score on it would have been refused. */
  safety?: SafetyVerdict | undefined;
  /** How long the parts took; `total` is from the encoded source to the encoded result. */
  seconds: { total: number; denoise: number };
}

export interface EditOptions {
  /** Ends the edit within one step; the promise then rejects with the code ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called after every step; the loop waits for what it returns. */
  onStep?: ((step: EditStep) => void | Promise<void>) | undefined;
  /**
   * Whether `onStep` calls a step's `sketch()`. The first such edit of an engine begins by encoding and decoding four
   * small pictures; where this is not said, the first sketch does. @default false
   */
  isSketched?: boolean | undefined;
}

export interface Engine {
  readonly checkpoint: CheckpointInfo;
  /** What the networks run on, and why. */
  readonly device: ChosenDevice;
  /**
   * Edits one picture. Edits that are asked for at the same time run one after the other.
   * @throws RetouchError INVALID_PARAMETER, IMAGE_INVALID, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, MEMORY_INSUFFICIENT,
   * OUTPUT_FLAGGED, LORA_INVALID, LORA_UNSUPPORTED, RUNTIME_FAILED or ABORTED
   */
  edit(request: EditRequest, options?: EditOptions): Promise<EditResult>;
  /** Waits for the running edit and frees the networks. May be called more than once. */
  close(): Promise<void>;
}

/**
 * Loads a checkpoint and returns the engine that edits with it.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED, RUNTIME_FAILED or INVALID_PARAMETER;
 * LORA_INVALID for a file that is not there; OUTPUT_UNWRITABLE where converted weights cannot be kept; CONFIG_INVALID where
 * the runtime's telemetry cannot be kept off, as in a worker thread of a process without ORT_DISABLE_TELEMETRY=1
 * @example
 * const engine = await createEngine();
 * const { bytes } = await readImageSource("picture.png");
 * const { image } = await engine.edit({ image: bytes, prompt: "Make it night" });
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const { checkpoint: folder = SHIPPED_CHECKPOINT, threads = 0, maxPixels, memoryLimit } = options;
  if (!Number.isInteger(threads) || threads < 0 || threads > 1024) {
    throw invalid("range", { field: "threads", wanted: "a whole number", min: 0, max: 1024, given: threads });
  }
  if (memoryLimit !== undefined && !(memoryLimit > 0)) {
    throw invalid("above", { field: "memoryLimit", min: 0, given: memoryLimit });
  }
  const { weights = "auto", cacheFolder, onConversion } = options;
  if (!WEIGHTS_CHOICES.includes(weights)) {
    throw invalid("oneOf", {
      field: "weights",
      choices: WEIGHTS_CHOICES.join(", "),
      given: JSON.stringify(weights),
    });
  }
  const { isOn = true, isRequired = false, threshold } = options.safety ?? {};
  const { isPromptInMetadata = false } = options;
  const checker = isOn ? createSafetyChecker({ threshold, threads }) : undefined;
  // Where it cannot be had, no checkpoint needs to be read.
  await loadRuntime();
  const { transformer, vae, textEncoder } = options;
  const checkpoint = await Checkpoint.open(folder, { transformer, vae, textEncoder });
  const device = await chooseDevice(options.device ?? "auto");
  const limitBytes = memoryLimit ?? usableBytes(await readMachineMemory());
  const { loras: loraFiles = {} } = options;
  await Promise.all(Object.values(loraFiles).map(identityOf));
  const isAdaptable = Object.keys(loraFiles).length > 0;
  const networks = await Networks.load(
    checkpoint,
    { threads, device: device.name, computeType: options.computeType },
    { limitBytes, isAdaptable, weights, cacheFolder, onConversion },
  );
  const info: CheckpointInfo = {
    folder: checkpoint.folder,
    name: transformer === undefined ? checkpointName(checkpoint.folder) : path.parse(transformer).name,
    isDemo:
      checkpoint.folder === SHIPPED_CHECKPOINT &&
      [transformer, vae, textEncoder].every((file) => file === undefined),
    nativeSize: networks.autoencoder.sampleSize,
    grid: networks.native.grid,
    weights: networks.kinds,
  };

  const loras = new LoraShelf(loraFiles, createFindTarget(networks.flux));
  const tools: EditTools = { maxPixels, checker, isRequired, isPromptInMetadata, loras };

  let last: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  return {
    checkpoint: info,
    device,
    edit(request, editOptions = {}) {
      if (closing) return Promise.reject(new RetouchError("ABORTED", "The engine is closed."));
      const turn = unlessAborted(last, editOptions.signal).then(() =>
        runEdit(networks, info, request, { ...editOptions, ...tools }),
      );
      // Both: an edit that gives up waiting ends before the one that it waited for. No results, which would pile up.
      last = Promise.allSettled([last, turn]).then(() => undefined);
      return turn;
    },
    close() {
      closing ??= last.then(async () => {
        await Promise.all([networks.dispose(), checker?.close()]);
      });
      return closing;
    },
  };
}

/** Waits for `previous`; `signal` ends the wait with the code ABORTED. */
function unlessAborted(previous: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(abortError(signal!));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    void previous.then(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}

interface EditTools {
  maxPixels: number | undefined;
  checker: SafetyChecker | undefined;
  /** Whether the checker is used whatever the request says. */
  isRequired: boolean;
  isPromptInMetadata: boolean;
  loras: LoraShelf;
}

async function runEdit(
  networks: Networks,
  { name }: CheckpointInfo,
  request: EditRequest,
  {
    signal,
    onStep,
    isSketched,
    maxPixels,
    checker: ownChecker,
    isRequired,
    isPromptInMetadata,
    loras,
  }: EditOptions & EditTools,
): Promise<EditResult> {
  const started = performance.now();
  const resolved = resolveRequest(request);
  const source = await decodePicture(request.image, { maxPixels });
  const chosenLoras = await loras.choose(resolved.loras);
  const checker = isRequired || resolved.isSafetyChecked ? ownChecker : undefined;
  // A checker that cannot be loaded is better known before the edit than after it.
  await checker?.prepare();

  const steps = editPicture(networks, source, resolved, { signal, isSketched, loras: chosenLoras });
  let next = await steps.next();
  let denoiseSeconds = 0;
  while (!next.done) {
    denoiseSeconds = next.value.seconds;
    await onStep?.(next.value);
    next = await steps.next();
  }
  const { picture, size, workingSize, referenceSize, kept, isNegativeUsed, notices } = next.value;
  // What is checked is what is handed out, not the smaller picture that it was enlarged from.
  const safety = checker && (await passed(checker, picture));

  const parameters: EditParameters = {
    ...resolved,
    size,
    negativePrompt: isNegativeUsed ? resolved.negativePrompt : "",
    trueCfgScale: isNegativeUsed ? resolved.trueCfgScale : 1,
    isSafetyChecked: checker !== undefined,
  };
  const { seed, numSteps, guidance } = parameters;
  const keepUnchanged = kept !== undefined || undefined;
  const trueCfgScale = isNegativeUsed ? parameters.trueCfgScale : undefined;
  const prompt = isPromptInMetadata ? parameters.prompt : undefined;
  const loraTexts = parameters.loras.map((lora) => `${lora.name}:${lora.scale}`);
  const usedLoras = loraTexts.length > 0 ? loraTexts.join(" ") : undefined;
  const basics = { model: name, version, seed, numSteps, guidance };
  const facts = { ...basics, trueCfgScale, keepUnchanged, loras: usedLoras, prompt };
  return {
    image: await encodePicture(picture, resolved.format, editMetadata(facts)),
    format: resolved.format,
    width: size.width,
    height: size.height,
    parameters,
    workingSize,
    referenceSize,
    kept,
    notices,
    safety,
    seconds: { total: (performance.now() - started) / 1000, denoise: denoiseSeconds },
  };
}

/** What the checker says about a result that may be handed out. @throws RetouchError OUTPUT_FLAGGED */
async function passed(checker: SafetyChecker, picture: Picture): Promise<SafetyVerdict> {
  const { isFlagged, score, threshold } = await checker.check(picture);
  if (!isFlagged) return { score, threshold };
  throw new RetouchError("OUTPUT_FLAGGED", failure("flagged", { score: score.toFixed(3), threshold }));
}
