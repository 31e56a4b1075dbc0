import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, symlink } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { identifyThisProcess, isRunning } from "../../src/files/process-identity.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("a process", () => {
  it("is the same one each time it is asked for, and runs", async () => {
    const identity = await identifyThisProcess();
    expect(identity).toEqual(await identifyThisProcess());
    expect(identity.pid).toBe(process.pid);
    expect(await isRunning(identity)).toBe(true);
  });

  it("is not another one of the same number", async () => {
    const { startedAt, ...rest } = await identifyThisProcess();
    expect(await isRunning({ ...rest, startedAt: `${startedAt}0` })).toBe(false);
  });

  it("is found whatever its program is called, until it has ended", async ({ skip }) => {
    if (process.platform !== "linux") skip("another operating system: this one has no /proc");
    const name = path.join(await temporaryFolder(), "a) Z 0 (b");
    await symlink("/bin/sleep", name);
    const child = spawn(name, ["60"]);
    onTestFinished(() => void child.kill("SIGKILL"));
    const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
    expect(stat).toContain("(a) Z 0 (b)");
    const startedAt = stat.slice(stat.indexOf("(b)") + 4).split(" ")[19]!;
    const { system } = await identifyThisProcess();
    const identity = { pid: child.pid!, startedAt, system };
    expect(await isRunning(identity)).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await isRunning(identity)).toBe(false);
  });
});
