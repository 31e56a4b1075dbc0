import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it, vi } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { readMachineMemory, usableBytes } from "../../src/machine/memory.ts";
import { createEngines, shareOfMemory, withEngines } from "../../src/service/work.ts";
import type { EngineSetup } from "../../src/worker/protocol.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** What the engines were told, and how many have been closed. */
const setups: EngineSetup[] = [];
let numClosed = 0;
vi.mock(import("../../src/worker/engine-process.ts"), () => ({
  createEngineProcess({ setup }) {
    setups.push(setup);
    return { close: async () => void (numClosed += 1) } as never;
  },
}));
const log = createLog({ level: "fatal" });

async function limits(settings: Record<string, string>): Promise<(number | undefined)[]> {
  setups.length = 0;
  const config = readConfig(settings);
  const { pools } = await createEngines({ config, log });
  expect(pools).toHaveLength(config.workers);
  return setups.map(({ engine }) => engine.memoryLimit);
}

it("has several workers share the memory of the machine", async () => {
  const root = await temporaryFolder();
  await mkdir(path.join(root, "proc"));
  await writeFile(path.join(root, "proc", "meminfo"), "MemTotal: 9000 kB\nMemAvailable: 7000 kB\n");
  expect(await shareOfMemory(3, 1, root)).toBe(Math.floor((7000 * 1024) / 3));

  const [one, another, ...more] = await limits({ RETOUCH_WORKERS: "2" });
  expect([another, more]).toEqual([one, []]);
  const half = usableBytes(await readMachineMemory()) / 2;
  // Other programs take and give some of it between the two looks.
  expect(one! / half).toBeGreaterThan(0.5);
  expect(one! / half).toBeLessThan(1.5);
});

it("leaves a single worker to look for itself", async () => {
  expect(await limits({ RETOUCH_WORKERS: "1" })).toEqual([undefined]);
});

it("keeps the references of klein alone, and refuses to where no worker serves it", async () => {
  const klein = path.join(fixtures, "klein", "checkpoints", "plain");
  const settings = { RETOUCH_REFERENCE_CACHE: "approximate", RETOUCH_MODELS: `klein=${klein}` };
  await limits(settings);
  expect(setups.map(({ engine }) => engine.referenceCache)).toEqual([undefined, "approximate"]);
  await limits({ ...settings, RETOUCH_WORKERS: "0", RETOUCH_WORKER_ENDPOINTS: "klein" });
  expect(setups).toEqual([]);
  for (const alone of [
    { RETOUCH_REFERENCE_CACHE: "approximate" },
    { ...settings, RETOUCH_WORKER_ENDPOINTS: readConfig({}).endpointId },
  ]) {
    await expect(limits(alone)).rejects.toEqual(
      refusal(
        "CONFIG_INVALID",
        "RETOUCH_REFERENCE_CACHE: no endpoint of these workers has a model that it is about: FLUX.2 [klein].",
      ),
    );
  }
});

it("gives each worker what is set", async () => {
  const settings = { RETOUCH_WORKERS: "2", RETOUCH_MEMORY_LIMIT: "1GB" };
  expect(await limits(settings)).toEqual([2 ** 30, 2 ** 30]);
});

it("closes the engines where what needs them cannot be started", async () => {
  const config = readConfig({ RETOUCH_WORKERS: "2" });
  expect(await withEngines({ config, log }, async ({ pools }) => pools.length)).toBe(2);
  expect(numClosed).toBe(0);
  const failing = withEngines({ config, log }, () => Promise.reject(new Error("There is no database.")));
  await expect(failing).rejects.toThrow("There is no database.");
  expect(numClosed).toBe(2);
});
