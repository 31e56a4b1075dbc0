/** All faults that are tried. */
import { CLIENTS } from "./kinds/clients.ts";
import { CLOCKS } from "./kinds/clocks.ts";
import { DISKS } from "./kinds/disks.ts";
import { KILLS } from "./kinds/kills.ts";
import type { FaultKind } from "./kinds/kind.ts";
import { NETWORKS } from "./kinds/networks.ts";
import { PAUSES } from "./kinds/pauses.ts";
import { programsFolder } from "./postgres.ts";

export const FAULTS: readonly FaultKind[] = [
  ...KILLS,
  ...PAUSES,
  ...NETWORKS,
  ...DISKS,
  ...CLOCKS,
  ...CLIENTS,
];

/** Why a fault cannot be tried here; undefined where it can. */
export const missingFor = (kind: FaultKind): string | undefined => missingForAll ?? kind.missing?.();

const missingForAll =
  process.platform !== "linux"
    ? "another operating system: the suite reads /proc"
    : programsFolder === undefined
      ? "PostgreSQL is missing: apt-get install postgresql"
      : undefined;
