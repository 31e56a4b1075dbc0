/** The library: everything that a program needs to edit pictures. */
export { createEngine } from "./kontext/engine.ts";
export type {
  CheckpointInfo,
  EditOptions,
  EditParameters,
  EditResult,
  Engine,
  EngineOptions,
  EngineSafety,
} from "./kontext/engine.ts";
export type { EditStep } from "./kontext/edit.ts";
export type { Kept } from "./kontext/keep-unchanged.ts";
export { COMPUTE_TYPES, DEVICE_CHOICES, examineDevices } from "./runtime/devices.ts";
export type { ChosenDevice, ComputeType, Device, DeviceChoice, DeviceReport } from "./runtime/devices.ts";
export { SHIPPED_CHECKPOINT } from "./kontext/engine.ts";
export { convertedBytes, forecast, parametersOf, readNetworkSizes } from "./kontext/forecast.ts";
export type { Forecast } from "./kontext/forecast.ts";
export { WEIGHTS_KINDS } from "./kontext/memory-plan.ts";
export type { NetworkKinds, NetworkSizes, WeightsKind } from "./kontext/memory-plan.ts";
export { fittingKind, kindsText, WEIGHTS_CHOICES } from "./kontext/weights-choice.ts";
export type { WeightsChoice } from "./kontext/weights-choice.ts";
export { checkpointName } from "./weights/checkpoint.ts";
export { convertCheckpoint } from "./kontext/convert.ts";
export type { ConvertedNetwork } from "./kontext/convert.ts";
export type { ConversionProgress } from "./quantize/cache.ts";
export { PUBLISHED_SIZES } from "./kontext/published.ts";
export { measureGemmSpeed } from "./runtime/gemm-speed.ts";
export { EDIT_PARAMETERS } from "./kontext/edit-parameters.ts";
export type { EditParameter, EditParameterName } from "./kontext/edit-parameters.ts";
export { resolveParameters, resolveRequest } from "./kontext/request.ts";
export type { EditRequest, LoraUse, ResolvedRequest, Size } from "./kontext/request.ts";
export type { OutputFormat } from "./images/encode.ts";
export type { GrayPicture, Picture } from "./images/picture.ts";
export { encodePicture } from "./images/encode.ts";
export { encodeThumbnail } from "./images/thumbnail.ts";
export { createSafetyChecker, DEFAULT_SAFETY_THRESHOLD } from "./safety/checker.ts";
export type { SafetyChecker, SafetyCheckerOptions, SafetyReport } from "./safety/checker.ts";
export type { SafetyVerdict } from "./safety/verdict.ts";
export { readImageSource } from "./images/source.ts";
export type { ImageSource, ReadImageSourceOptions } from "./images/source.ts";
export { checkWritable, writeFileAtomically } from "./files/write-atomically.ts";
export { ERROR_CODES, messageOf, RetouchError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export { version } from "./version.ts";
