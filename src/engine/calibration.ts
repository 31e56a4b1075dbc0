/**
 * What `retouch calibrate` finds out about a checkpoint, and where it is kept: by the content of the checkpoint, so a copy has
 * the calibration of the original, and a changed one has none.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ifMissing } from "../files/system-error.ts";
import type { Gain } from "../sampling/reuse.ts";
import { writeFileAtomically } from "../files/write-atomically.ts";
import { membersOf } from "./members-of.ts";

/** What a calibration found out about a checkpoint: how much error each way of saving time makes. */
export interface Calibration {
  /** Digest of the checkpoint. */
  checkpoint: string;
  /** How many edits it is drawn from. */
  edits: number;
  /**
   * Levels of 8 bits by which the picture differs, root mean square, for each unit of the error that steps estimate of
   * themselves (root mean square of the packed latents), by the noise levels of these steps: more than in nearly every edit.
   */
  gains: readonly Gain[];
  /**
   * Levels by which pictures differ from float32's because of what the networks compute in, root mean square: more than in
   * nearly every edit, by the names of {@link arithmeticOf}.
   */
  arithmetic: Readonly<Record<string, number>>;
}

/**
 * What networks compute in: 0 of it is float32 on the processor.
 * @param weights as `kindsText` words them
 * @param areProductsRounded whether products with float32 weights round both sides to 8 bits
 */
export const arithmeticOf = (
  device: string,
  weights: string,
  computeType: string,
  areProductsRounded = false,
): string =>
  [
    weights,
    ...(areProductsRounded ? ["with int8 products"] : []),
    ...(device === "cpu" && computeType === "float32" ? [] : [computeType, `on ${device}`]),
  ].join(" ");

/** That of the pictures which are promised. */
export const EXACT = arithmeticOf("cpu", "fp32", "float32");

const FORMAT = "retouch-calibration";
const VERSION = 1;
/** Far more than one has. */
const MAX_BYTES = 1 << 20;
/** Of checkpoints that ship with this package. */
const SHIPPED = fileURLToPath(new URL("../../checkpoints/calibrations", import.meta.url));

/** Where the calibration of a checkpoint is kept. @param cacheFolder of this user */
export const calibrationFile = (cacheFolder: string, checkpoint: string): string =>
  path.join(cacheFolder, "calibrations", nameOf(checkpoint));

const nameOf = (checkpoint: string): string => `${checkpoint.replaceAll(" ", "-")}.json`;

/** The user's own calibration of a checkpoint, or the one that ships; undefined if there is none that can be read. */
export async function findCalibration(
  cacheFolder: string,
  checkpoint: string,
  shippedFolder = SHIPPED,
): Promise<Calibration | undefined> {
  for (const file of [
    calibrationFile(cacheFolder, checkpoint),
    path.join(shippedFolder, nameOf(checkpoint)),
  ]) {
    const bytes = await readFile(file).catch(ifMissing);
    const found = bytes && parseCalibration(bytes);
    if (found?.checkpoint === checkpoint) return found;
  }
  return undefined;
}

/** Keeps a calibration, whole or not at all. @returns its file @throws RetouchError OUTPUT_UNWRITABLE */
export async function keepCalibration(cacheFolder: string, calibration: Calibration): Promise<string> {
  const file = calibrationFile(cacheFolder, calibration.checkpoint);
  await writeFileAtomically(file, Buffer.from(calibrationText(calibration)));
  return file;
}

export const calibrationText = (calibration: Calibration): string =>
  `${JSON.stringify({ format: FORMAT, version: VERSION, ...calibration }, null, 2)}\n`;

/** Undefined for what is no calibration, or one of another version: the checkpoint then counts as not calibrated. */
export function parseCalibration(bytes: Uint8Array): Calibration | undefined {
  if (bytes.byteLength > MAX_BYTES) return undefined;
  const { format, version, checkpoint, edits, gains, arithmetic } = membersOf(bytes);
  if (format !== FORMAT || version !== VERSION || typeof checkpoint !== "string") return undefined;
  if (!isAmount(edits) || !areGains(gains)) return undefined;
  if (typeof arithmetic !== "object" || arithmetic === null) return undefined;
  const entries = Object.entries(arithmetic);
  if (!entries.every((entry): entry is [string, number] => isAmount(entry[1]))) return undefined;
  return { checkpoint, edits, gains, arithmetic: Object.fromEntries(entries) };
}

/** From high noise levels to 0. */
function areGains(value: unknown): value is Gain[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_GAINS) return false;
  const gains = value.map((one) => Object(one) as Partial<Gain>);
  return (
    gains.every(
      ({ downTo, gain }, index) =>
        isAmount(gain) && gain > 0 && isAmount(downTo) && (index === 0 || downTo < gains[index - 1]!.downTo!),
    ) && gains.at(-1)!.downTo === 0
  );
}

const MAX_GAINS = 100;

const isAmount = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
