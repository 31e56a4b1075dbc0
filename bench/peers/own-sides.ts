/** Builds of Retouch as sides: this one in each of its modes, and the revision that it is held against. */
import { pathToFileURL } from "node:url";
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import type { SideCommand } from "../sides/side.ts";
import type { EditProcessOrder } from "./edit-process.ts";

/** How this build can be told to edit; all but the last compute every step. */
export const MODES = {
  auto: { weights: "auto" },
  fp32: { weights: "fp32" },
  fp16: { weights: "fp16" },
  int8: { weights: "int8" },
  int4: { weights: "int4" },
  accelerated: { weights: "fp32", acceleration: "auto", minPsnr: 40 },
} as const;
export type Mode = keyof typeof MODES;
/** The modes that leave no step out. */
export const EVERY_STEP = ["auto", "fp32", "fp16", "int8", "int4"] as const satisfies readonly Mode[];

export const sideName = (mode: Mode): string =>
  mode === "accelerated" ? "Retouch, fp32, accelerated (40 dB)" : `Retouch, ${mode}`;
export const BASELINE = "Retouch before";

export interface OwnSettings {
  checkpoint: string;
  threads: number;
  isChecked: boolean;
  /** Of converted weights. */
  cacheFolder: string;
}

export function ownSide(mode: Mode, settings: OwnSettings): Promise<SideCommand> {
  const { weights, ...request } = MODES[mode];
  return sideOf(sideName(mode), inRepository("."), { ...settings, weights }, request);
}

/** @param folder a checkout of the revision, built */
export const baselineSide = (folder: string, settings: OwnSettings): Promise<SideCommand> =>
  sideOf(BASELINE, folder, { ...settings, weights: "fp32" }, {});

async function sideOf(
  name: string,
  folder: string,
  { isChecked, ...engine }: OwnSettings & Pick<EditProcessOrder["engine"], "weights">,
  request: EditProcessOrder["request"],
): Promise<SideCommand> {
  const program = await compile(inRepository("bench", "peers", "edit-process.ts"));
  const library = pathToFileURL(`${folder}/dist/index.js`).href;
  const order: EditProcessOrder = { library, engine: { ...engine, safety: { isOn: isChecked } }, request };
  return { name, command: process.execPath, args: [program, JSON.stringify(order)] };
}
