import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readMachineMemory, usableBytes } from "../../src/machine/memory.ts";
import { temporaryFolder } from "../support/temporary.ts";

const MEMINFO = "MemTotal:       4000 kB\nMemFree:         100 kB\nMemAvailable:   3000 kB\n";

/** A folder with the files of a machine. */
async function machine(files: Record<string, string>): Promise<string> {
  const root = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text);
  }
  return root;
}

describe("the memory of a machine", () => {
  it("is what Linux calls available, where no group limits it", async () => {
    const memory = await readMachineMemory(
      await machine({
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/user\n",
        "sys/fs/cgroup/user/memory.max": "max\n",
      }),
    );
    expect(memory).toEqual({ totalBytes: 4_096_000, availableBytes: 3_072_000, group: undefined });
    expect(usableBytes(memory)).toBe(3_072_000);
  });

  it("is what a container's limit leaves, cached files not counted as taken", async () => {
    const memory = await readMachineMemory(
      await machine({
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "1000000\n",
        "sys/fs/cgroup/memory.current": "700000\n",
        "sys/fs/cgroup/memory.stat": "active_file 5\ninactive_file 200000\n",
      }),
    );
    expect(memory.group).toEqual({ limitBytes: 1_000_000, availableBytes: 500_000 });
    expect(usableBytes(memory)).toBe(500_000);
  });

  it("counts the tightest of the groups around a process, in version 1 as well", async () => {
    const memory = await readMachineMemory(
      await machine({
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "4:cpu,memory:/outer/inner\n3:cpuset:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/outer/memory.limit_in_bytes": "900000\n",
        "sys/fs/cgroup/memory/outer/memory.usage_in_bytes": "800000\n",
        "sys/fs/cgroup/memory/outer/inner/memory.limit_in_bytes": "2000000\n",
        "sys/fs/cgroup/memory/outer/inner/memory.usage_in_bytes": "300000\n",
        "sys/fs/cgroup/memory/outer/inner/memory.stat": "inactive_file 1\ntotal_inactive_file 4\n",
      }),
    );
    expect(memory.group).toEqual({ limitBytes: 900_000, availableBytes: 100_000 });
  });

  it("is what Node knows on systems without these files", async () => {
    const memory = await readMachineMemory(await machine({}));
    expect(memory.group).toBeUndefined();
    expect(memory.availableBytes).toBeGreaterThan(0);
    expect(memory.totalBytes).toBeGreaterThanOrEqual(memory.availableBytes);
  });
});
