/**
 * The state of an interrupted edit as bytes: a `.safetensors` file whose metadata says what edit it belongs to and what
 * computed it. It holds the forming image, so it is as private as the result, but neither prompt nor source.
 */
import { createHash } from "node:crypto";
import { RetouchError } from "../errors.ts";
import { safetensorsNameOf } from "../onnx/dtype.ts";
import type { ReuseTally } from "../sampling/sampler.ts";
import type { DrawState } from "../sampling/draw-state.ts";
import type { SamplerState, StateArray, StateMemory } from "../sampling/state.ts";
import { parseSafetensors, type StoredTensor } from "../weights/safetensors.ts";
import { elements } from "../weights/tensor-file.ts";

/** What computes an edit, by the names of {@link ENVIRONMENT_FACTS}. */
export type Environment = Readonly<Record<EnvironmentFact, string>>;
export type EnvironmentFact = (typeof ENVIRONMENT_FACTS)[number];

/** What the bytes of a result may depend on besides the edit itself. */
export const ENVIRONMENT_FACTS = ["build", "runtime", "device", "processor", "weights", "tiles"] as const;

/** `step`, `latents` and `memory` are of the image after those that are finished. */
export interface EditState extends SamplerState, Pick<DrawState, "finished"> {
  /** Of the images after that one, one after the other, as far as they have begun. */
  others: readonly SamplerState[];
  /** Steps of each image. */
  of: number;
  /** Images of the whole edit. */
  numImages: number;
  /** [L, C]. */
  latentShape: readonly number[];
  /** Digest of everything that determines the picture, the checkpoint included. */
  edit: string;
  /** What computed its last step. */
  environment: Environment;
  /** What was different while its earlier steps were computed. */
  changed: readonly EnvironmentFact[];
}

const FORMAT = "retouch-edit-state";
const VERSION = "1";
const LATENTS = "latents";
const MEMORY = "memory.";
const FINISHED = "finished.";
const OTHER = "other.";
/** The published model's latents at 1024 * 1024 take 1 MiB an image; a cache may remember some hundred times as much. */
export const MAX_STATE_BYTES = 100 * 2 ** 20;

/** @throws RangeError for more than {@link MAX_STATE_BYTES} */
export function encodeState(state: EditState): Uint8Array {
  const tensors: [string, StateArray][] = [
    [LATENTS, { data: state.latents, shape: state.latentShape }],
    ...Object.entries(state.memory).map(([name, array]): [string, StateArray] => [MEMORY + name, array]),
    ...state.finished.map(({ latents: data }, index): [string, StateArray] => [
      FINISHED + index,
      { data, shape: state.latentShape },
    ]),
    ...state.others.flatMap(({ latents, memory }, index): [string, StateArray][] => [
      [`${OTHER}${index}.${LATENTS}`, { data: latents, shape: state.latentShape }],
      ...Object.entries(memory).map(([name, array]): [string, StateArray] => [
        `${OTHER}${index}.${MEMORY}${name}`,
        array,
      ]),
    ]),
  ];
  let offset = 0;
  const entries = tensors.map(([name, { data, shape }]) => {
    const start = offset;
    offset += data.byteLength;
    return [name, { dtype: typeOf(data), shape, data_offsets: [start, offset] }] as const;
  });
  if (offset > MAX_STATE_BYTES) throw new RangeError(`A state of ${offset} bytes is too large to be kept.`);
  const parts = tensors.map(([, { data }]) => bytesOf(data));
  const metadata: Record<string, string> = {
    format: FORMAT,
    version: VERSION,
    step: String(state.step),
    of: String(state.of),
    edit: state.edit,
    environment: JSON.stringify(state.environment),
    changed: JSON.stringify(state.changed),
    // What has one image is as earlier versions wrote it.
    ...(state.numImages > 1 && {
      numImages: String(state.numImages),
      finished: JSON.stringify(state.finished.map(({ reuse }) => reuse ?? null)),
    }),
    ...(state.others.length > 0 && { others: JSON.stringify(state.others.map((other) => other.step)) }),
  };
  metadata["sha256"] = digestOf(
    metadata,
    entries.map(([name, { dtype, shape }]) => [name, dtype, shape]),
    parts,
  );
  const header = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...parts]);
}

/** @throws Error with the reason, as it continues "The state ..." */
export function decodeState(bytes: Uint8Array): EditState {
  if (bytes.byteLength > MAX_STATE_BYTES + 2 ** 20) throw new Error(`has ${bytes.byteLength} bytes`);
  const { tensors, metadata } = headerOf(bytes);
  const text = (name: string): string => metadata.get(name) ?? "";
  if (text("format") !== FORMAT || text("version") !== VERSION) throw new Error("is of another format");
  const arrays = [...tensors].map(([name, tensor]) => [name, arrayOf(tensor, bytes)] as const);
  const { sha256, ...facts } = Object.fromEntries(metadata);
  const listed = [...tensors].map(([name, { storedType, shape }]) => [name, storedType, shape]);
  const parts = arrays.map(([, { data }]) => bytesOf(data));
  if (sha256 !== digestOf(facts, listed, parts)) throw new Error("is damaged: its digest is another");
  const latents = arrays.find(([name]) => name === LATENTS)?.[1];
  if (!isLatents(latents)) throw new Error("has no latents");
  const [step, of] = [Number(text("step")), Number(text("of"))];
  if (!Number.isInteger(of) || !Number.isInteger(step) || step < 1 || step > of) {
    throw new Error(`was kept after step ${step} of ${of}`);
  }
  const numImages = Number(metadata.get("numImages") ?? 1);
  const tallies = JSON.parse(metadata.get("finished") ?? "[]") as (ReuseTally | null)[];
  if (!(tallies.length < numImages)) throw new Error(`has ${tallies.length} finished images of ${numImages}`);
  const steps = JSON.parse(metadata.get("others") ?? "[]") as number[];
  if (!(tallies.length + 1 + steps.length <= numImages)) {
    throw new Error(`has ${steps.length + 1} images besides ${tallies.length} of ${numImages}`);
  }
  const memoryOf = (prefix: string): StateMemory =>
    Object.fromEntries(
      arrays
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, array]) => [name.slice(prefix.length), array]),
    );
  const latentsOf = (name: string, image: number): Float32Array => {
    const drawn = arrays.find(([other]) => other === name)?.[1];
    if (isLatents(drawn) && drawn.data.length === latents.data.length) return drawn.data;
    throw new Error(`has no latents of image ${image}`);
  };
  return {
    step,
    of,
    numImages,
    finished: tallies.map((reuse, index) => ({
      latents: latentsOf(FINISHED + index, index + 1),
      reuse: reuse ?? undefined,
    })),
    others: steps.map((otherStep, index) => {
      if (!Number.isInteger(otherStep) || otherStep < 1 || otherStep > of) {
        throw new Error(`was kept after step ${otherStep} of ${of}`);
      }
      return {
        step: otherStep,
        latents: latentsOf(`${OTHER}${index}.${LATENTS}`, tallies.length + index + 2),
        memory: memoryOf(`${OTHER}${index}.${MEMORY}`),
      };
    }),
    latents: latents.data,
    latentShape: latents.shape,
    memory: memoryOf(MEMORY),
    edit: text("edit"),
    environment: JSON.parse(text("environment")) as Environment,
    changed: JSON.parse(text("changed")) as EnvironmentFact[],
  };
}

const isLatents = (array: StateArray | undefined): array is StateArray & { data: Float32Array } =>
  array?.data instanceof Float32Array;

/** The facts in which two environments differ. */
export const differences = (one: Environment, other: Environment): EnvironmentFact[] =>
  ENVIRONMENT_FACTS.filter((fact) => one[fact] !== other[fact]);

function headerOf(bytes: Uint8Array): ReturnType<typeof parseSafetensors> {
  try {
    return parseSafetensors("state", bytes);
  } catch (error) {
    if (!(error instanceof RetouchError)) throw error;
    throw new Error(String(error.values["fault"]), { cause: error });
  }
}

/** Of everything but itself: a changed bit anywhere is found. */
function digestOf(metadata: object, tensors: unknown, parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256").update(JSON.stringify([Object.entries(metadata).toSorted(), tensors]));
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

const bytesOf = ({ buffer, byteOffset, byteLength }: StateArray["data"]): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const TYPES = [
  [Float32Array, "float32"],
  [Int32Array, "int32"],
  [BigInt64Array, "int64"],
  [Uint8Array, "uint8"],
] as const;

const typeOf = (data: StateArray["data"]): string =>
  safetensorsNameOf(TYPES.find(([type]) => data instanceof type)![1]);

function arrayOf(
  { dtype, storedType, shape, byteOffset, byteLength }: StoredTensor,
  bytes: Uint8Array,
): StateArray {
  const type = TYPES.find(([, name]) => name === dtype)?.[0];
  if (type === undefined) throw new Error(`has numbers of the type ${storedType}`);
  // A copy, because a typed array begins at a multiple of its element's size.
  const { buffer } = Uint8Array.from(bytes.subarray(byteOffset, byteOffset + byteLength));
  const data = new type(buffer);
  if (data.length !== elements(shape))
    throw new Error(`has ${data.length} numbers for [${shape.join(", ")}]`);
  return { data, shape };
}
