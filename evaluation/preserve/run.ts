/**
 * Measures what stays (docs/pictures.md) on edits whose truth is known. Draws the edits on first use; prints a line for each
 * and, per kind, the figures.
 */
import { parseArgs } from "node:util";
import { measureDemo } from "./demo.ts";
import { measure, type Measured } from "./measure.ts";
import { editsOf, load } from "./set.ts";

const USAGE = `Usage: npm run eval:preserve -- [OPTIONS] [FILTER]

FILTER is a regular expression of the edits' names. Without options their raw results are simulated from the truth.

  --demo     the shipped checkpoint's own results, two of each kind
  --steps N  of those (default 8)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    demo: { type: "boolean", default: false },
    steps: { type: "string", default: "8" },
    help: { type: "boolean", default: false },
  },
});
const filter = new RegExp(positionals[0] ?? "");
if (values.help) process.stdout.write(USAGE);
else if (values.demo) await measureDemo(filter, Number(values.steps));
else await measureSimulated();

async function measureSimulated(): Promise<void> {
  const groups = new Map<string, Measured[]>();
  for (const { id, kind, style } of editsOf(filter)) {
    const measured = await measure(await load(`${id}.source.png`), await load(`${id}.truth.png`), id);
    const group = style === null ? kind : `${kind}: ${style}`;
    groups.set(group, [...(groups.get(group) ?? []), measured]);
    process.stdout.write(`${id.padEnd(36)} ${lineOf([measured])}\n`);
  }
  process.stdout.write("\n");
  for (const [group, measured] of groups) {
    const count = String(measured.length).padStart(3);
    process.stdout.write(`${group.padEnd(32)} ${count} ${lineOf(measured)}\n`);
  }
  process.stdout.write(`${"all".padEnd(36)} ${lineOf([...groups.values()].flat())}\n`);
}

function lineOf(measured: readonly Measured[]): string {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const sum = (value: (one: Measured) => number): number =>
    measured.reduce((total, one) => total + value(one), 0);
  const gains = measured.map(({ plain, preserved }) => preserved - plain);
  const overUndone = measured.map(({ undone, preserved }) => preserved - undone);
  const seams = measured.flatMap(({ seam }) => seam ?? []);
  const unedited = sum((one) => one.unedited);
  const exact = sum((one) => one.exact);
  const [kept, carried, drawn] = (["kept", "carried", "drawn"] as const).map((part) =>
    mean(measured.map(({ shares }) => shares[part])).toFixed(3),
  );
  return [
    `plain ${mean(measured.map(({ plain }) => plain)).toFixed(2)} dB`,
    `preserved ${mean(measured.map(({ preserved }) => preserved)).toFixed(2)} dB`,
    `least gain ${Math.min(...gains).toFixed(2)} dB`,
    `undone ${mean(measured.map(({ undone }) => undone)).toFixed(2)} dB`,
    `least gain over that ${Math.min(...overUndone).toFixed(2)} dB`,
    `misplaced ${Math.max(...measured.map(({ misplaced }) => misplaced)).toFixed(2)}`,
    `exact ${unedited === 0 ? "-" : `${((100 * exact) / unedited).toFixed(2)} %`}`,
    `seam ${seams.length === 0 ? "-" : mean(seams).toFixed(2)}`,
    `kept ${kept} carried ${carried} drawn ${drawn}`,
  ].join(", ");
}
