/** The modules of a LoRA's file: which of its keys belong together, and to what in the network. */
import type { Dialect } from "./dialect.ts";
import { splitKey, type Role } from "./keys.ts";
import { type FindTarget, isNorm, type LinearTarget, type NormTarget } from "./targets.ts";

export type ModuleKeys = Partial<Record<Role, string>>;

/** A linear layer of the file. */
export interface Module {
  name: string;
  target: LinearTarget;
  keys: ModuleKeys;
}

export interface Modules {
  modules: readonly Module[];
  /** Modules in namings that diffusers leaves out beside the one that it takes. */
  passedOver: readonly string[];
  norms: readonly { key: string; target: NormTarget }[];
  unusedKeys: readonly string[];
  /** Modules of which the file has a matrix in two spellings. */
  repeated: readonly string[];
}

/** @param keys in the order of the file, which decides between spellings */
export function findModules(keys: readonly string[], dialect: Dialect, findTarget: FindTarget): Modules {
  const modules = new Map<string, Module & { preference: number }>();
  const norms: { key: string; target: NormTarget }[] = [];
  const unusedKeys: string[] = [];
  const repeated = new Set<string>();
  for (const key of keys) {
    const { module: name, role } = splitKey(key) ?? {};
    const target = name === undefined ? undefined : findTarget(name);
    if (target === undefined || isNorm(target) !== (role === "weight")) {
      unusedKeys.push(key);
      continue;
    }
    if (isNorm(target)) {
      norms.push({ key, target });
      continue;
    }
    const preference = dialect.preference(key);
    const known = modules.get(name!) ?? { name: name!, target, keys: {}, preference };
    if (known.keys[role!] !== undefined) repeated.add(name!);
    known.keys[role!] = key;
    modules.set(name!, known);
  }
  const all = [...modules.values()];
  const highest = Math.max(0, ...all.map(({ preference }) => preference));
  const taken = all.filter(({ preference }) => preference === highest);
  const passedOver = all.filter(({ preference }) => preference < highest).map(({ name }) => name);
  return { modules: taken, passedOver, norms, unusedKeys, repeated: [...repeated] };
}
