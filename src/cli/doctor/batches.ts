/** How many images a run of the largest network takes, as edits on this machine have measured it. */
import { type FoundBatch, foundBatches } from "../../index.ts";
import { loadCacheFolder } from "../../config/config.ts";
import type { Section, Subject } from "./section.ts";

export async function examineBatches({ plan, folder }: Subject): Promise<Section> {
  const found = folder === undefined ? [] : await foundBatches(plan, folder, loadCacheFolder());
  return batchSection(found);
}

/** @param found undefined if the model runs its images one by one */
export function batchSection(found: readonly FoundBatch[] | undefined): Section {
  return {
    title: "Images that a run takes on the processor (--batch auto), by tokens of result, pictures and text",
    name: "batches",
    lines: [
      ...(found ?? []).map(
        (one) => [`${one.shape.replaceAll("+", " + ")}, ${one.arithmetic}`, textOf(one)] as const,
      ),
      ...(found === undefined ? ["One: this model runs its images one by one."] : []),
      ...(found?.length === 0
        ? ["Not measured yet: edits of several images, guided edits and waiting jobs measure it as they run."]
        : []),
    ],
    facts: found ?? [],
  };
}

/** "2, 1.16 times as fast as one by one (4: 1.05)". */
function textOf({ chosen, isSettled, sizes, unequal }: FoundBatch): string {
  const alone = sizes.find(({ size }) => size === 1);
  const several = sizes.filter(({ size }) => size > 1);
  const timesAsFast = ({ size, seconds }: { size: number; seconds: number }): string =>
    (((alone?.seconds ?? NaN) * size) / seconds).toFixed(2);
  const best = several.find(({ size }) => size === chosen);
  const others = [
    ...several.filter((one) => one !== best).map((one) => `${one.size}: ${timesAsFast(one)}`),
    ...unequal.map((size) => `${size}: other bits`),
  ];
  const speed = best ? `, ${timesAsFast(best)} times as fast as one by one` : "";
  const beside = others.length > 0 ? ` (${others.join(", ")})` : "";
  return `${chosen}${speed}${beside}${isSettled ? "" : "; still being measured"}`;
}
