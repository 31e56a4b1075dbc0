/** This machine: processor, memory, and the disk that holds pulled checkpoints. */
import { loadHubSettings } from "../../config/config.ts";
import { freeBytes } from "../../hub/cache.ts";
import { sizeText } from "../../machine/size-text.ts";
import { readMachineMemory, usableBytes } from "../../machine/memory.ts";
import { readProcessor } from "../../machine/processor.ts";
import type { Section } from "./section.ts";

export async function examineMachine(): Promise<Section> {
  const processor = await readProcessor();
  const memory = await readMachineMemory();
  const { cacheFolder } = loadHubSettings();
  const diskBytes = await freeBytes(cacheFolder);
  const { model, logicalCores, physicalCores, instructionSets } = processor;
  const cores = physicalCores === undefined ? `${logicalCores} cores` : `${physicalCores} cores`;
  const threads = logicalCores === physicalCores ? "" : ` (${logicalCores} threads)`;
  const { totalBytes, availableBytes, group } = memory;
  const allowed = group && `; this process is allowed ${sizeText(group.limitBytes)}`;
  return {
    title: "This machine",
    name: "machine",
    lines: [
      ["system", `${process.platform} ${process.arch}, Node ${process.versions.node}`],
      ["processor", `${model}, ${cores}${threads}`],
      ["instructions", instructionSets?.join(" ") || "not known"],
      ["memory", `${sizeText(totalBytes)}, of which ${sizeText(availableBytes)} free${allowed ?? ""}`],
      ["free disk", `${sizeText(diskBytes)} in ${cacheFolder}`],
    ],
    facts: { processor, memory: { ...memory, usableBytes: usableBytes(memory) }, cacheFolder, diskBytes },
  };
}
