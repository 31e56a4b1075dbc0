import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readJobsFile } from "../../../src/cli/batch/jobs-file.ts";
import { LIMITS } from "../../../src/cli/batch/limits.ts";
import { refusal } from "../../support/refusal.ts";
import { temporaryFolder } from "../../support/temporary.ts";

async function read(content: string | Uint8Array) {
  const file = path.join(await temporaryFolder(), "jobs.jsonl");
  await writeFile(file, content);
  return readJobsFile(file);
}

describe("a file of edits", () => {
  it("has a number for each line, and no empty ones; a mark at its start and ends of Windows do not matter", async () => {
    expect(await read('\uFEFF{"a":1}\r\n\n  \n{"b":2}')).toEqual([
      { line: 1, text: '{"a":1}\r' },
      { line: 4, text: '{"b":2}' },
    ]);
    expect(await read("")).toEqual([]);
  });

  it("names lines that are no UTF-8 or too long, and reads those around them", async () => {
    const long = "x".repeat(LIMITS.lineBytes + 1);
    const lines = Buffer.concat([
      Buffer.from("{}\n"),
      Buffer.from([0xff, 0xfe, 0x0a]),
      Buffer.from(`${long}\n[]`),
    ]);
    expect(await read(lines)).toEqual([
      { line: 1, text: "{}" },
      { line: 2, fault: "is not UTF-8" },
      { line: 3, fault: "has 1,048,577 bytes; at most 1,048,576 are accepted" },
      { line: 4, text: "[]" },
    ]);
    expect(await read(`${"x".repeat(LIMITS.lineBytes)}`)).toMatchObject(
      [{ line: 1, text: /^x+$/ }].map(() => ({ line: 1 })),
    );
  });

  it("is refused with too many lines, too many bytes, or if it is not there", async () => {
    await expect(read("{}\n".repeat(LIMITS.edits + 1))).rejects.toEqual(
      refusal("INVALID_PARAMETER", /jobs\.jsonl has more than 100,000 lines\.$/),
    );
    await expect(read(Buffer.alloc(LIMITS.fileBytes + 1, 0x0a))).rejects.toEqual(
      refusal("INVALID_PARAMETER", /jobs\.jsonl is larger than the limit of 64 MiB\.$/),
    );
    const folder = await temporaryFolder();
    await expect(readJobsFile(folder)).rejects.toEqual(
      refusal("INVALID_PARAMETER", `${folder} cannot be read: it is a folder.`),
    );
    await expect(readJobsFile(path.join(folder, "none"))).rejects.toEqual(
      refusal("INVALID_PARAMETER", /none cannot be read: there is no such file\.$/),
    );
  });
});
