/** What holds for every network: it needs each weight of its checkpoint, in its shape, and no other. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Value } from "../../src/onnx/graph.ts";
import { Config } from "../../src/weights/config.ts";
import { readSafetensorsHeader, type StoredTensor } from "../../src/weights/safetensors.ts";
import { type WeightScope, WeightSet } from "../../src/weights/weight-set.ts";
import { fixtures } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

export const CHECKPOINTS = ["plain", "odd", "sharded", "shifted"] as const;

export interface StoredNetwork {
  config: Config;
  /** Where its tensors lie. */
  tensors: Map<string, StoredTensor>;
}

/** A component of one of the checkpoints. */
export const readComponent = (checkpoint: string, component: string): Promise<StoredNetwork> =>
  readNetwork(path.join("checkpoints", checkpoint, component));

/** @param folder of a network, below the fixtures */
export async function readNetwork(folder: string): Promise<StoredNetwork> {
  const whole = path.join(fixtures, folder);
  const files = (await readdir(whole)).filter((name) => WEIGHTS_FILE.test(name));
  const tensors = new Map<string, StoredTensor>();
  for (const file of files) {
    for (const [key, tensor] of await readSafetensorsHeader(path.join(whole, file))) tensors.set(key, tensor);
  }
  return { config: await Config.read(path.join(whole, "config.json")), tensors };
}

const WEIGHTS_FILE = /^(?:diffusion_pytorch_)?model.*\.safetensors$/;

/**
 * Builds a component's graphs for changed weights.
 * @param build is given two scopes of them, for two networks that share some
 * @param options.folders of the networks, below the fixtures
 * @param options.isOptional whether a checkpoint may lack a key, or have it in any shape
 * @param options.missedAs the key that the sentence names, where one of several would do
 */
export function describeWeights(
  component: string,
  build: (config: Config, weights: WeightScope, again?: WeightScope) => Readonly<Record<string, Value>>,
  {
    folders = CHECKPOINTS.map((checkpoint) => path.join("checkpoints", checkpoint, component)),
    isOptional = () => false,
    missedAs = (key) => key,
  }: {
    folders?: readonly string[];
    isOptional?: (key: string, tensors: ReadonlyMap<string, StoredTensor>) => boolean;
    missedAs?: (key: string) => string;
  } = {},
): void {
  describe.each(folders)("the weights of %s", (folder) => {
    let config: Config;
    let tensors: Map<string, StoredTensor>;
    beforeAll(async () => ({ config, tensors } = await readNetwork(folder)));

    const buildWith = (changed: ReadonlyMap<string, StoredTensor>): string[] => {
      const weights = new WeightSet(component, changed);
      build(config, weights.scope(), weights.scope());
      return weights.unusedKeys();
    };
    const requiredKeys = (): string[] => [...tensors.keys()].filter((key) => !isOptional(key, tensors));
    const escaped = (key: string): string => key.replaceAll(".", "\\.");

    it("are used once each", () => {
      expect(tensors.size).toBeGreaterThan(10);
      expect(buildWith(tensors)).toEqual([]);
    });

    it("are missed by their key when one is left out", () => {
      for (const key of requiredKeys()) {
        const rest = new Map([...tensors].filter(([other]) => other !== key));
        const sentence = new RegExp(
          `^${component}: the weight ${escaped(missedAs(key))} \\[.*\\] is missing\\.$`,
        );
        expect(() => buildWith(rest)).toThrow(refusal("CHECKPOINT_INVALID", sentence));
      }
    });

    it("are refused by their key when one has another shape", () => {
      for (const key of requiredKeys()) {
        const { shape, ...rest } = tensors.get(key)!;
        const changed = new Map(tensors).set(key, { ...rest, shape: [...shape, 1] });
        expect(() => buildWith(changed)).toThrow(
          refusal(
            "CHECKPOINT_INVALID",
            `${component}: the weight ${key} has the shape [${shape.join(", ")}, 1] where the configuration asks for [${shape.join(", ")}].`,
          ),
        );
      }
    });

    it("are known by their key when there is one more", () => {
      const [key, tensor] = [...tensors][0]!;
      expect(buildWith(new Map(tensors).set(`${key}.more`, tensor))).toEqual([`${key}.more`]);
    });
  });
}
