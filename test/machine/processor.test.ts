import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { addsByteProducts, readProcessor } from "../../src/machine/processor.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function withCpuInfo(text: string): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(path.join(root, "proc"));
  await writeFile(path.join(root, "proc/cpuinfo"), text);
  return root;
}

it("tells cores from threads, and the instruction sets that count", async () => {
  const cpu = (core: number): string =>
    `physical id\t: 0\ncore id\t\t: ${core}\nflags\t\t: fpu avx avx2 fma sse\n`;
  const root = await withCpuInfo([cpu(0), cpu(0), cpu(1), cpu(1)].join("\n"));
  expect(await readProcessor(root)).toMatchObject({
    physicalCores: 2,
    instructionSets: ["avx", "avx2", "fma"],
  });
});

it("reads an ARM machine, which does not tell its cores", async () => {
  const root = await withCpuInfo("processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n");
  expect(await readProcessor(root)).toMatchObject({
    physicalCores: undefined,
    instructionSets: ["asimd", "asimddp", "i8mm"],
  });
});

it("leaves out what a system without /proc does not tell", async () => {
  const { physicalCores, instructionSets, logicalCores } = await readProcessor("/nowhere");
  expect([physicalCores, instructionSets]).toEqual([undefined, undefined]);
  expect(logicalCores).toBeGreaterThan(0);
});

it.each([
  ["flags\t\t: fpu avx512f avx512_vnni sse\n", true],
  ["processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\nbugs\t\t: none\n", true],
  ["flags\t\t: fpu avx2 avx512f\n", false],
  ["Features\t: fp asimd asimddp\n", false],
])("knows from %j whether products of bytes are added up in 32 bits", async (text, expected) => {
  expect(addsByteProducts(await withCpuInfo(text))).toBe(expected);
});

it("does not count on such products where a system does not tell", () => {
  expect(addsByteProducts("/nowhere")).toBe(false);
});
