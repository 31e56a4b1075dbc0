/**
 * The door between a program and the networks: opens a checkpoint, keeps as much of it loaded as memory allows, and
 * does one edit at a time, since a second one beside it would only make both slower.
 */
import path from "node:path";
import { invalid, RetouchError } from "../errors.ts";
import { identityOf, LoraRegistry } from "../lora/registry.ts";
import { readMachineMemory, usableBytes } from "../machine/memory.ts";
import type { ConversionProgress } from "../quantize/cache.ts";
import { type ChosenDevice, chooseDevice, type DeviceChoice } from "../runtime/devices.ts";
import { loadRuntime } from "../runtime/onnxruntime.ts";
import type { RuntimeOptions } from "../runtime/session.ts";
import { openModel, PIPELINES } from "../pipelines/index.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { checkpointName } from "../weights/checkpoint.ts";
import { createSafetyChecker } from "../safety/checker.ts";
import { abortError } from "./abort.ts";
import { Components } from "./components.ts";
import type { NetworkKinds } from "./memory-plan.ts";
import type { EditRequest } from "./request.ts";
import { type EditOptions, type EditResult, type EditTools, runEdit } from "./run-edit.ts";
import { SHIPPED_CHECKPOINT } from "./shipped.ts";
import { WEIGHTS_CHOICES, type WeightsChoice } from "./weights-choice.ts";

export type { ConversionProgress };

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
 * @param pipelines model families to choose from by the checkpoint's `model_index.json`
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED, RUNTIME_FAILED or INVALID_PARAMETER;
 * LORA_INVALID for a file that is not there; OUTPUT_UNWRITABLE where converted weights cannot be kept; CONFIG_INVALID where
 * the runtime's telemetry cannot be kept off, as in a worker thread of a process without ORT_DISABLE_TELEMETRY=1
 * @example
 * const engine = await createEngine();
 * const { bytes } = await readImageSource("picture.png");
 * const { image } = await engine.edit({ image: bytes, prompt: "Make it night" });
 */
export async function createEngine(
  options: EngineOptions = {},
  pipelines: readonly Pipeline[] = PIPELINES,
): Promise<Engine> {
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
  const files = { transformer, vae, textEncoder };
  const { checkpoint, pipeline, model } = await openModel(folder, files, pipelines);
  const device = await chooseDevice(options.device ?? "auto");
  const limitBytes = memoryLimit ?? usableBytes(await readMachineMemory());
  const { loras: loraFiles = {} } = options;
  await Promise.all(Object.values(loraFiles).map(identityOf));
  const isAdaptable = Object.keys(loraFiles).length > 0;
  const components = await Components.load(
    model,
    { threads, device: device.name, computeType: options.computeType },
    { limitBytes, isAdaptable, weights, cacheFolder, onConversion },
  );
  const info: CheckpointInfo = {
    folder: checkpoint.folder,
    name: transformer === undefined ? checkpointName(checkpoint.folder) : path.parse(transformer).name,
    isDemo:
      checkpoint.folder === SHIPPED_CHECKPOINT && Object.values(files).every((file) => file === undefined),
    nativeSize: Math.sqrt(model.native.area),
    grid: model.native.grid,
    weights: components.kinds,
  };

  const tools: EditTools = {
    editor: model.createEditor(components),
    pipeline,
    modelName: info.name,
    loras: new LoraRegistry(loraFiles, model.findLoraTarget),
    maxPixels,
    checker,
    isCheckRequired: isRequired,
    isPromptInMetadata,
  };

  let last: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  return {
    checkpoint: info,
    device,
    edit(request, editOptions = {}) {
      if (closing) return Promise.reject(new RetouchError("ABORTED", "The engine is closed."));
      const turn = unlessAborted(last, editOptions.signal).then(() => runEdit(tools, request, editOptions));
      // Both: an edit that gives up waiting ends before the one that it waited for. No results, which would pile up.
      last = Promise.allSettled([last, turn]).then(() => undefined);
      return turn;
    },
    close() {
      closing ??= last.then(async () => {
        await Promise.all([components.dispose(), checker?.close()]);
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
