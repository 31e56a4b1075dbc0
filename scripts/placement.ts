// Writes the table of docs/devices.md of where each operator runs on WebGPU, on the software device that Debian's chromium
// brings.
// Usage: npm run placement
import { readFile, writeFile } from "node:fs/promises";
import { inRepository } from "../tools/paths.ts";
import { measurePlacements } from "./placement/measure.ts";
import { tableOf, withTable } from "./placement/placement.ts";

const page = inRepository("docs", "devices.md");
const placements = await measurePlacements();
for (const { checkpoint, network, weights, isAdaptable, difference } of placements) {
  const adapters = isAdaptable ? ", adapters" : "";
  console.log(
    `${checkpoint} ${network}, ${weights}${adapters}: ${difference.toExponential(1)} from the CPU's`,
  );
}
await writeFile(page, withTable(await readFile(page, "utf8"), tableOf(placements)));
