/**
 * Rates whether an image is something most people do not want to see unasked: pornography, photographed or drawn. It
 * detects nothing else, neither violence nor likeness, and it makes errors; checkpoints/safety/README.md has the
 * figures.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { invalid, RetouchError } from "../errors.ts";
import { sha256 } from "../sha256.ts";
import type { Picture } from "../images/picture.ts";
import { buildModel } from "../onnx/graph.ts";
import { type RuntimeOptions, Session } from "../runtime/session.ts";
import { Config } from "../weights/config.ts";
import { mobileNet, type MobileNetConfig, readMobileNetConfig } from "./mobilenet.ts";
import { pictureToUnitSquare } from "./pixels.ts";
import { QuantizedWeights } from "./quantized-weights.ts";
import type { CheckerIdentity, SafetyVerdict } from "./verdict.ts";

/** Not the class Sexy, which also contains swimwear. */
const FLAGGED_CLASSES = ["Porn", "Hentai"];
/** checkpoints/safety/README.md explains the value. */
export const DEFAULT_SAFETY_THRESHOLD = 0.7;
/** What errors call the network. */
const NAME = "safety";
const WEIGHTS_FILE = "model.safetensors";
const SHIPPED_CHECKPOINT = fileURLToPath(new URL("../../checkpoints/safety", import.meta.url));

export type { CheckerIdentity };

/** How a safety checker is made. */
export interface SafetyCheckerOptions {
  /** Folder of the network. @default the one that ships with this package */
  checkpoint?: string | undefined;
  /** Score from which an image is flagged, 0 to 1; at 0 every image is. @default 0.7 */
  threshold?: number | undefined;
  /** Threads of the network; 0 uses one per physical core. @default 0 */
  threads?: number | undefined;
  isMemoryReturned?: RuntimeOptions["isMemoryReturned"];
}

/** What the safety checker found in a result. */
export interface SafetyReport extends Omit<SafetyVerdict, "isFlagged"> {
  isFlagged: boolean;
  /** Probability of each class; they add up to 1. */
  scores: Readonly<Record<string, number>>;
}

/** Checks images for pornography. */
export interface SafetyChecker {
  /**
   * Loads the network, which otherwise happens at the first check. After a failure, the next call tries again.
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or RUNTIME_FAILED
   */
  prepare(): Promise<void>;
  /**
   * Rates one picture of any size; throws as `prepare` does.
   * @param ownThreshold of this picture, 0 to 1 @default the checker's
   */
  check(picture: Picture, ownThreshold?: number): Promise<SafetyReport>;
  /** What the network is; read once. @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID */
  identity(): Promise<CheckerIdentity>;
  /** Frees the network, if it was loaded; the checker cannot be used afterwards. */
  close(): Promise<void>;
}

/**
 * Creates a checker with the network that ships with this package. Nothing is loaded before it is needed.
 * @throws RetouchError INVALID_PARAMETER
 */
export function createSafetyChecker(options: SafetyCheckerOptions = {}): SafetyChecker {
  const { checkpoint = SHIPPED_CHECKPOINT, threshold = DEFAULT_SAFETY_THRESHOLD } = options;
  const { threads = 0, isMemoryReturned } = options;
  checkThreshold(threshold);
  let network: Promise<Network> | undefined;
  let identity: Promise<CheckerIdentity> | undefined;
  const load = (): Promise<Network> =>
    (network ??= loadNetwork(checkpoint, { threads, isMemoryReturned }).catch((error: unknown) => {
      network = undefined;
      throw error;
    }));
  return {
    async prepare() {
      await load();
    },
    async check(picture, ownThreshold = threshold) {
      checkThreshold(ownThreshold);
      const { session, config } = await load();
      const scores = await scoresOf(session, config, picture);
      // The sum of two classes may round to more than 1.
      const sum = FLAGGED_CLASSES.reduce((total, name) => total + scores[name]!, 0);
      const score = Math.min(sum, 1);
      return { score, threshold: ownThreshold, isFlagged: score >= ownThreshold, scores };
    },
    identity: () =>
      (identity ??= readIdentity(checkpoint).catch((error: unknown) => {
        identity = undefined;
        throw error;
      })),
    async close() {
      await (await network?.catch(() => undefined))?.session.dispose();
    },
  };
}

/** @throws RetouchError INVALID_PARAMETER */
function checkThreshold(threshold: unknown): void {
  if (typeof threshold === "number" && threshold >= 0 && threshold <= 1) return;
  const given = String(threshold);
  throw invalid("range", { field: "safety.threshold", wanted: "a number", min: 0, max: 1, given });
}

interface Network {
  session: Session;
  config: MobileNetConfig;
}

async function loadNetwork(folder: string, runtime: RuntimeOptions): Promise<Network> {
  const fields = await Config.read(path.join(folder, "config.json"));
  const config = readMobileNetConfig(fields);
  const missing = FLAGGED_CLASSES.find((name) => !config.classes.includes(name));
  if (missing !== undefined) {
    throw new RetouchError("CHECKPOINT_INVALID", `In ${fields.file}, classes must hold ${missing}.`);
  }
  const weights = await QuantizedWeights.read(path.join(folder, WEIGHTS_FILE));
  const model = buildModel(NAME, mobileNet(config, weights));
  return { session: await Session.load(model, { name: NAME, weightsFolder: folder, ...runtime }), config };
}

async function readIdentity(folder: string): Promise<CheckerIdentity> {
  const name = (await Config.read(path.join(folder, "config.json"))).string("architecture");
  return { name, sha256: sha256(await readFile(path.join(folder, WEIGHTS_FILE))) };
}

async function scoresOf(
  session: Session,
  { imageSize, classes }: MobileNetConfig,
  picture: Picture,
): Promise<Record<string, number>> {
  const data = pictureToUnitSquare(picture, imageSize);
  const { scores } = await session.run({ pixels: { data, shape: [1, 3, imageSize, imageSize] } });
  const values = scores!.data as Float32Array;
  // NaN is below no threshold, and would never be flagged.
  if (values.some(Number.isNaN)) {
    throw new RetouchError("RUNTIME_FAILED", "The safety checker gave no numbers: its weights are damaged.");
  }
  return Object.fromEntries(classes.map((name, index) => [name, values[index]!]));
}
