/** Every parser of outside bytes. A new parser is one more entry of its group. */
import type { Target } from "../target.ts";
import { TARGETS as addresses } from "./addresses.ts";
import { TARGETS as bodies } from "./bodies.ts";
import { TARGETS as configurations } from "./configurations.ts";
import { TARGETS as http } from "./http.ts";
import { TARGETS as peers } from "./peers.ts";
import { TARGETS as pictures } from "./pictures.ts";
import { TARGETS as service } from "./service.ts";
import { TARGETS as settings } from "./settings.ts";
import { TARGETS as tokenizers } from "./tokenizers.ts";
import { TARGETS as weights } from "./weights.ts";

/** By the names of their modules in this folder: a process that feeds one parser loads its group alone. */
const GROUPS: Readonly<Record<string, readonly Target[]>> = {
  bodies,
  addresses,
  settings,
  pictures,
  weights,
  configurations,
  tokenizers,
  peers,
  http,
  service,
};

export const TARGETS: readonly (Target & { group: string })[] = Object.entries(GROUPS).flatMap(
  ([group, targets]) => targets.map((target) => ({ ...target, group })),
);
