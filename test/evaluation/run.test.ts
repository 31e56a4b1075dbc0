import { execFile } from "node:child_process";
import { expect, it } from "vitest";
import { inRepository } from "../../tools/paths.ts";

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command as `npm run eval` starts it. */
function run(...args: string[]): Promise<Ended> {
  const command = [inRepository("scripts", "run-ts.mjs"), inRepository("evaluation", "run.ts"), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

it("ends with 2 where the command line is wrong, and with 1 where the set is", async () => {
  expect(await run("--fast")).toEqual({
    code: 2,
    stdout: "",
    stderr: "eval: Unknown option '--fast'. --help lists the options.\n",
  });
  expect(await run("--json", "--set", "nowhere")).toEqual({
    code: 1,
    stdout: "",
    stderr: "eval: The evaluation set's file nowhere/scenes.json does not exist.\n",
  });
  const { code, stdout } = await run("--help");
  expect([code, stdout]).toEqual([0, expect.stringContaining("--restart")]);
});
