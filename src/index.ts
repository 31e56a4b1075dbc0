/** The library: everything a program needs to edit images. */
export { createEngine } from "./engine/engine.ts";
export type { CheckpointInfo, Engine, EngineOptions, EngineSafety } from "./engine/engine.ts";
export type {
  EditOptions,
  EditParameters,
  EditReport,
  EditResult,
  ImageResult,
  LatentsResult,
} from "./engine/run-edit.ts";
export type { AccelerationReport, Gain, ReuseBudget, ReuseTally } from "./engine/acceleration.ts";
export { calibrate, LEAST_EDITS } from "./engine/calibrate.ts";
export type { CalibrateOptions } from "./engine/calibrate.ts";
export type { Calibration } from "./engine/calibration.ts";
export type { FloatTensor } from "./engine/given-tensors.ts";
export { stepOfAll } from "./engine/draws.ts";
export type { EditStep, ModelPlan } from "./engine/model.ts";
export type { Kept } from "./preserve/compose.ts";
export type { Shares } from "./preserve/render.ts";
export { COMPUTE_TYPES, DEVICE_CHOICES, examineDevices } from "./runtime/devices.ts";
export type { Adapter, ComputeType, Device, DeviceChoice, DeviceReport } from "./runtime/devices.ts";
export type { ChosenDevice } from "./engine/choose-device.ts";
export { SHIPPED_CHECKPOINT } from "./engine/shipped.ts";
export { convertedBytes, filesOf, forecast, parametersOf, readModelPlan } from "./engine/forecast.ts";
export type { Forecast, ForecastDevice, ForecastTime } from "./engine/forecast.ts";
export { measureDevices } from "./engine/measured-devices.ts";
export type { MeasuredDevice } from "./engine/measured-devices.ts";
export { EditGroup, type GroupPlace } from "./engine/edit-group.ts";
export { type FoundBatch, foundBatches } from "./engine/batches/found-batches.ts";
export { measureProducts } from "./engine/product-choice.ts";
export type { ChosenProducts, ShapeChoice } from "./engine/product-choice.ts";
export { squareEdit, USUAL_PASSES } from "./engine/extent.ts";
export type { EditExtent } from "./engine/extent.ts";
export { WEIGHTS_KINDS } from "./engine/component.ts";
export type { WeightsKind } from "./engine/component.ts";
export type { NetworkKinds } from "./engine/memory-plan.ts";
export { fittingKinds, kindsText, roundedBefore, WEIGHTS_CHOICES } from "./engine/weights-choice.ts";
export type { WeightsChoice } from "./engine/weights-choice.ts";
export { checkpointName } from "./weights/checkpoint.ts";
export { convertCheckpoint } from "./engine/convert.ts";
export type { ConvertedNetwork } from "./engine/convert.ts";
export type { ConversionProgress } from "./quantize/cache.ts";
export { MODEL_DEFAULTS, openCheckpoint, PIPELINES } from "./pipelines/index.ts";
export { REFERENCE_CACHES } from "./pipelines/pipeline.ts";
export type { NamedDefaults, ReferenceCache } from "./pipelines/pipeline.ts";
export { PUBLISHED_MODELS } from "./pipelines/published.ts";
export type { PublishedModel } from "./pipelines/published.ts";
export type { DeviceSpeed } from "./runtime/device-speed.ts";
export { joinInstructions, joinTurns, offerOf, tooLong } from "./engine/instructions.ts";
export type { Instruction } from "./engine/instructions.ts";
export { EDIT_PARAMETERS } from "./engine/edit-parameters.ts";
export { ACCELERATIONS, IMAGE_SIZES, PRESERVES, SAMPLERS } from "./engine/edit-parameters.ts";
export type {
  AccelerationMode,
  EditParameter,
  EditParameterName,
  ImageLayout,
  ImageSize,
  Preserve,
  SamplerName,
  SizeRule,
} from "./engine/edit-parameters.ts";
export { aboutMask, checkMasking } from "./engine/mask-rules.ts";
export { checkImageCount, checkSizeRule, parametersOfModel } from "./engine/model-traits.ts";
export { resolveParameters, resolveRequest, unknownLora } from "./engine/request.ts";
export type { EditDefaults, ImageLimits } from "./engine/model-traits.ts";
export type { EditRequest, LoraUse, ResolvedRequest, Size } from "./engine/request.ts";
export { fileBytesOf, mayTakeRoom, noRoomText, type ResultFiles, roomOf } from "./engine/result-room.ts";
export { FORMATS } from "./images/output-format.ts";
export type { FormatTraits, OutputFormat } from "./images/output-format.ts";
export type { SizePlan, WorkingSize } from "./engine/sizes.ts";
export type { GrayPicture, Picture } from "./images/picture.ts";
export { encodeMap, encodePicture } from "./images/encode.ts";
export { encodeThumbnail } from "./images/thumbnail.ts";
export { createSafetyChecker, DEFAULT_SAFETY_THRESHOLD } from "./safety/checker.ts";
export type { SafetyChecker, SafetyCheckerOptions, SafetyReport } from "./safety/checker.ts";
export type { CheckerIdentity, SafetyVerdict } from "./safety/verdict.ts";
export { readImageSource } from "./images/source.ts";
export type { ImageSource, ReadImageSourceOptions } from "./images/source.ts";
export { checkWritable, writeFileAtomically } from "./files/write-atomically.ts";
export { RECEIPT_TEXTS } from "./engine/receipt-facts.ts";
export { differencesOf, repeatEdit, requestOf, weightsOf } from "./engine/repeat.ts";
export type { RepeatInputs } from "./engine/repeat.ts";
export { loraDigest } from "./lora/registry.ts";
export { pixelPsnr } from "./images/pixel-digest.ts";
export type { FilePixels } from "./images/pixel-digest.ts";
export { checkFile, openReceiptFile, receiptIn, textOf } from "./receipts/file-receipt.ts";
export type { ReceiptFile } from "./receipts/file-receipt.ts";
export { createKeyPem, readPublicKeys, readSigningKey } from "./receipts/keys.ts";
export type { PublicJwk, SigningKey } from "./receipts/keys.ts";
export { readReceipt, signerOf } from "./receipts/read-receipt.ts";
export { digestOf } from "./receipts/receipt.ts";
export type { FileDigest, Receipt } from "./receipts/receipt.ts";
export { ERROR_CODES, messageOf, RetouchError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export { version } from "./version.ts";
