/**
 * The interface between a program and the networks: opens a checkpoint, keeps as much of it loaded as memory allows,
 * and runs one edit at a time, since running two at once would only slow both down, or a group of edits in one turn.
 */
import path from "node:path";
import { createContentSigner } from "../c2pa/content-credentials.ts";
import { identityOf, LoraRegistry } from "../lora/registry.ts";
import { readMachineMemory, usableBytes } from "../machine/memory.ts";
import type { ConversionProgress } from "../quantize/cache.ts";
import { loadRuntime } from "../runtime/onnxruntime.ts";
import { openModel, PIPELINES } from "../pipelines/index.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { checkpointName } from "../weights/checkpoint.ts";
import { type CheckerIdentity, createSafetyChecker } from "../safety/checker.ts";
import { createTurns } from "./turns.ts";
import { inTurn } from "./edit-group.ts";
import type { BatchSpeeds } from "./batches/batch-speeds.ts";
import { userCacheFolder } from "../machine/cache-folder.ts";
import { arithmeticOf, findCalibration } from "./calibration.ts";
import { findBaseIn } from "./base-layers.ts";
import { type ChosenDevice, chooseDevice } from "./choose-device.ts";
import { Components } from "./components.ts";
import { ENCODING_CACHE_BYTES, EncodingCache, type EncodingCounts } from "./encodings.ts";
import type { EditScale } from "./estimate.ts";
import type { EngineOptions } from "./engine-options.ts";
import { checkEngineOptions } from "./engine-checks.ts";
import { checkpointDigest, graphDigest, readEnvironment } from "./identity.ts";
import type { NetworkKinds } from "./memory-plan.ts";
import { type ChosenProducts, productsText } from "./product-choice.ts";
import type { EditRequest } from "./request.ts";
import {
  type EditOptions,
  type EditResult,
  type EditTools,
  type LatentsResult,
  runEdit,
  runEditToLatents,
} from "./run-edit.ts";
import { once } from "./once.ts";
import { SHIPPED_CHECKPOINT } from "./shipped.ts";
import { kindsText } from "./weights-choice.ts";
import { attentionShareOf } from "./workload.ts";

export type { ConversionProgress };
export type { EngineOptions, EngineSafety } from "./engine-options.ts";

/** The checkpoint that an engine has open. */
export interface CheckpointInfo {
  folder: string;
  /** The transformer's single file, if there is one; otherwise the repository it was pulled from, or the folder. */
  name: string;
  /** Whether it is exactly the small checkpoint that ships with this package. */
  isDemo: boolean;
  /** Side of the square that the network was trained at, in pixels. */
  nativeSize: number;
  /** Side of a token, in pixels. */
  grid: number;
  /** What the time of an edit depends on. */
  scale: EditScale;
  /** The kind that the weights of the transformer and T5 are loaded in. */
  weights: NetworkKinds;
  /** What the user should know about its files, as sentences; absent if there is nothing. */
  notices?: readonly string[] | undefined;
}

/** A checkpoint that is open and makes edits, one after the other. */
export interface Engine {
  readonly checkpoint: CheckpointInfo;
  /** The device the networks run on, and why. */
  readonly device: ChosenDevice;
  /** Memory that the process takes for an edit of the usual size, at most. */
  readonly neededBytes: number;
  /** What the networks compute in, as calibrations name it, such as `fp32`. */
  readonly arithmetic: string;
  /** What products of the largest network are computed in, and how fast each is; absent if that was no choice. */
  readonly products?: ChosenProducts | undefined;
  /** What was found of runs with several images. */
  readonly batches: Pick<BatchSpeeds, "found">;
  /** Digest of the checkpoint's configurations and of a sample of each weight, which names its calibration. */
  digest(): Promise<string>;
  /** What the safety checker is, if it is on. @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID */
  checkerIdentity(): Promise<CheckerIdentity | undefined>;
  /** How often an encoded prompt or image was found and made, and how many bytes are kept. */
  readonly encodings: EncodingCounts;
  /**
   * Edits one image. Concurrent edits run one after the other, those of a group together.
   * @throws RetouchError INVALID_PARAMETER, IMAGE_INVALID, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE, MEMORY_INSUFFICIENT,
   * OUTPUT_FLAGGED, LORA_INVALID, LORA_UNSUPPORTED, RUNTIME_FAILED or ABORTED
   */
  edit(request: EditRequest, options?: EditOptions): Promise<EditResult>;
  /**
   * The same, up to the last latents, which are decoded only if their image has to be checked.
   * @throws as `edit` does
   */
  editToLatents(request: EditRequest, options?: EditOptions): Promise<LatentsResult>;
  /** Waits for the running edit, then frees the networks. May be called more than once. */
  close(): Promise<void>;
}

/**
 * Loads a checkpoint and returns the engine that edits with it.
 * @param pipelines model families to choose from by the checkpoint's `model_index.json`
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED, RUNTIME_FAILED or INVALID_PARAMETER;
 * LORA_INVALID for a missing file; OUTPUT_UNWRITABLE if converted weights cannot be kept; CONFIG_INVALID for content
 * credentials that cannot be given, or if the
 * runtime's telemetry cannot be turned off, as in a worker thread of a process without ORT_DISABLE_TELEMETRY=1
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
  const { encodingCache = ENCODING_CACHE_BYTES, batch = "auto", weights = "auto" } = options;
  const { cacheFolder, onConversion, referenceCache } = options;
  checkEngineOptions({ threads, memoryLimit, encodingCache, batch, weights, referenceCache });
  const { isOn = true, isRequired = false, threshold } = options.safety ?? {};
  const {
    isPromptInMetadata = false,
    isReceiptInMetadata = true,
    isMemoryReturned,
    isLoadedAhead = true,
  } = options;
  const checker = isOn ? createSafetyChecker({ threshold, threads, isMemoryReturned }) : undefined;
  const { contentCredentials } = options;
  const contentSigner = contentCredentials && (await createContentSigner(contentCredentials));
  // If the device is not available, no checkpoint needs to be read.
  await loadRuntime();
  const { transformer, vae, textEncoder } = options;
  const files = { transformer, vae, textEncoder };
  const { checkpoint, pipeline, model, defaults } = await openModel(folder, files, pipelines, {
    referenceCache,
  });
  const { computeType } = options;
  const settleDevice = await chooseDevice(options.device ?? "auto", { computeType, threads });
  const limitBytes = memoryLimit ?? usableBytes(await readMachineMemory());
  const { loras: loraFiles = {} } = options;
  await Promise.all(Object.values(loraFiles).map(identityOf));
  const isAdaptable = Object.keys(loraFiles).length > 0;
  const loras = new LoraRegistry(loraFiles, model.findLoraTarget, findBaseIn(model, threads));
  const encodings = new EncodingCache(encodingCache);
  const digest = once(async () => {
    const found = await checkpointDigest(checkpoint.folder, model.stored);
    return referenceCache === undefined ? found : `${found} ${referenceCache}`;
  });
  const components = await Components.load(
    model,
    { threads, isMemoryReturned },
    {
      limitBytes,
      isAdaptable,
      isLoadedAhead,
      loraRooms: await loras.roomsWanted(),
      weights,
      cacheFolder,
      settleDevice,
      onConversion,
      digest,
      encodings,
      batch,
    },
  );
  const device = components.device!;
  const notices = [...checkpoint.notices, ...components.notices];
  const info: CheckpointInfo = {
    folder: checkpoint.folder,
    name: transformer === undefined ? checkpointName(checkpoint.folder) : path.parse(transformer).name,
    isDemo:
      checkpoint.folder === SHIPPED_CHECKPOINT && Object.values(files).every((file) => file === undefined),
    nativeSize: Math.sqrt(model.native.area),
    grid: model.native.grid,
    scale: {
      nativeArea: model.native.area,
      grid: model.native.grid,
      isSmallKept: model.native.isSmallKept,
      secondPass: model.secondPass,
      attentionShare: attentionShareOf(model),
    },
    weights: components.kinds,
    ...(notices.length > 0 && { notices }),
  };

  const { neededBytes } = components;
  const weightsText = kindsText(components.kinds);
  const products = components.products && productsText(components.products);
  const environments = [weightsText, [weightsText, products ?? []].flat().join(" ")].map((text) =>
    once(() => readEnvironment(device, text)),
  );
  const graphs = [true, false].map(() => once(async () => graphDigest(components.graphs())));
  let isExact = false;
  const nameOf = (areProductsRounded: boolean): string =>
    arithmeticOf(device.name, weightsText, device.computeType, areProductsRounded);
  const tools: EditTools = {
    editor: model.createEditor(components),
    encodings,
    pipeline,
    defaults,
    modelName: info.name,
    weights: info.weights,
    referenceCache,
    graph: () => graphs[isExact ? 0 : 1]!(),
    loras,
    maxPixels,
    checker,
    isCheckRequired: isRequired,
    isCheckerAhead: isLoadedAhead,
    isPromptInMetadata,
    isReceiptInMetadata,
    contentSigner,
    checkpoint: digest,
    // Read for each edit: another process may have calibrated in the meantime.
    calibration: async () => findCalibration(cacheFolder ?? userCacheFolder(), await digest()),
    arithmetic: nameOf(products !== undefined),
    exactArithmetic: products === undefined ? undefined : nameOf(false),
    compute(exactness) {
      ({ isExact } = exactness);
      components.compute(exactness);
    },
    async environment() {
      const { tileSide } = components;
      return { ...(await environments[isExact ? 0 : 1]!()), tiles: String(tileSide) };
    },
  };

  const turns = createTurns();
  return {
    checkpoint: info,
    device,
    neededBytes,
    arithmetic: tools.arithmetic,
    products: components.products,
    batches: components.batches.speeds,
    digest,
    checkerIdentity: async () => checker?.identity(),
    get encodings() {
      return encodings.counts;
    },
    edit: (request, editOptions = {}) =>
      inTurn(turns, editOptions, (member) => runEdit(tools, request, editOptions, member)),
    editToLatents: (request, editOptions = {}) =>
      inTurn(turns, editOptions, (member) => runEditToLatents(tools, request, editOptions, member)),
    close: () =>
      turns.close(async () => {
        encodings.clear();
        await Promise.all([components.dispose(), checker?.close()]);
      }),
  };
}
