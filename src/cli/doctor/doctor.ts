/** `retouch doctor`: what this machine can run, found out before anything is loaded. */
import { measureDevices, measureProducts } from "../../index.ts";
import { printText } from "../output.ts";
import { oneLine } from "../report.ts";
import { examineBatches } from "./batches.ts";
import { examineCheckpoint, readSubject } from "./checkpoint.ts";
import { deviceSection } from "./devices.ts";
import { examineMachine } from "./machine.ts";
import { productSection } from "./products.ts";
import type { Question, Section } from "./section.ts";
import { examineWeights } from "./weights.ts";

/** The flags as commander passes them. */
export interface DoctorFlags extends Question {
  json?: boolean | undefined;
}

/** Examines and prints. @throws RetouchError for a missing or damaged checkpoint */
export async function runDoctor({ json, ...asked }: DoctorFlags): Promise<void> {
  const subject = await readSubject(asked);
  const devices = await measureDevices(subject.plan);
  const sections = [
    await examineMachine(),
    deviceSection(devices),
    productSection(await measureProducts(subject.plan)),
    await examineBatches(subject),
    await examineCheckpoint(subject),
    await examineWeights(subject, devices),
  ];
  await printText(process.stdout, json ? sectionsJson(sections) : sectionsText(sections));
}

export function sectionsText(sections: readonly Section[]): string {
  return sections.map(sectionText).join("\n");
}

export function sectionsJson(sections: readonly Section[]): string {
  return `${JSON.stringify(Object.fromEntries(sections.map(({ name, facts }) => [name, facts])))}\n`;
}

function sectionText({ title, lines }: Section): string {
  const labels = lines.flatMap((line) => (typeof line === "string" ? [] : line[0].length));
  const width = Math.max(0, ...labels);
  const texts = lines.map((line) =>
    typeof line === "string" ? oneLine(line) : `${line[0].padEnd(width)}  ${oneLine(line[1])}`,
  );
  return [title, ...texts.map((text) => `  ${text}`), ""].join("\n");
}
