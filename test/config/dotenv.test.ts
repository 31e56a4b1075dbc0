import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { readDotenv } from "../../src/config/dotenv.ts";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function folderWith(text: string | Uint8Array): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, ".env"), text);
  return folder;
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe("the file .env", () => {
  it("may be missing", async () => {
    expect(readDotenv(await temporaryFolder())).toEqual({ own: {}, others: {} });
  });

  it.each([
    ["RETOUCH_PORT=9000", "9000"],
    ["\uFEFFRETOUCH_PORT=9000", "9000"],
    ["export RETOUCH_PORT=9000", "9000"],
    ["export \t RETOUCH_PORT = 9000 ", "9000"],
    ["# a comment\r\n\r\nRETOUCH_PORT=9000\r\nRETOUCH_HOST=::1\r\n", "9000"],
    ["  # RETOUCH_PORT=1\n\tRETOUCH_PORT=9000", "9000"],
    ["A line of something else\nRETOUCH_PORT=9000", "9000"],
    ["RETOUCH_PORT=9000 # a comment", "9000"],
    ['RETOUCH_PORT="90#00" # a comment', "90#00"],
    ["RETOUCH_PORT='90 # 00'", "90 # 00"],
    ["RETOUCH_PORT=", ""],
    ['RETOUCH_PORT=""', ""],
    ["RETOUCH_PORT= # nothing", ""],
    ["RETOUCH_PORT=a=b", "a=b"],
    ["RETOUCH_PORT=$HOME", "$HOME"],
    ["RETOUCH_PORT=1\nRETOUCH_PORT=2", "2"],
  ])("reads %j", async (text, value) => {
    expect(readDotenv(await folderWith(text)).own["RETOUCH_PORT"]).toBe(value);
  });

  it("leaves the variables of other programs to them, but for those that libraries here read", async () => {
    const text = 'POSTGRES_PASSWORD=a\nNODE_OPTIONS=--inspect\nAWS_PROFILE=b\nHF_HOME=c\nPEM="---\nMII=="\n';
    expect(readDotenv(await folderWith(text))).toEqual({
      own: {},
      others: { AWS_PROFILE: "b", HF_HOME: "c" },
    });
  });

  it.each([
    ["\nRETOUCH_PORT 9000\nRETOUCH_HOST=::1", "line 2 has no = after RETOUCH_PORT"],
    ["RETOUCH_PORT: 9000", "line 1 has no = after RETOUCH_PORT"],
    ["export DATABASE_URL", "line 1 has no = after DATABASE_URL"],
    [
      'RETOUCH_API_KEY="0123456789abcdef',
      "line 1 has an opening quote before the value of RETOUCH_API_KEY but no closing one",
    ],
    [
      "RETOUCH_API_KEY=01234#56789 # mine",
      "line 1 has a # in the value of RETOUCH_API_KEY, which must then be in quotes",
    ],
  ])("is refused with a line that can be misread: %j", async (text, problem) => {
    const folder = await folderWith(text);
    expect(() => readDotenv(folder)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: `.env: ${problem}.` }),
    );
  });

  it("is refused with one sentence where it cannot be read", async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, ".env");
    const refusal = (): string => {
      try {
        readDotenv(folder);
        return "none";
      } catch (error) {
        return (error as Error).message;
      }
    };
    await mkdir(file);
    expect(refusal()).toBe(`${file} cannot be read: it is a folder.`);
    const utf16 = await folderWith(Buffer.from("\uFEFFRETOUCH_PORT=9000", "utf16le"));
    expect(() => readDotenv(utf16)).toThrow("cannot be read: it is not text in UTF-8.");
    const long = await folderWith("#".repeat(1024 * 1024 + 1));
    expect(() => readDotenv(long)).toThrow("cannot be read: it has more than a megabyte.");
    const circle = await temporaryFolder();
    await symlink(".env", path.join(circle, ".env"));
    expect(() => readDotenv(circle)).toThrow("its symbolic links go round in a circle.");
  });

  it.skipIf(noPermissionsHere)("is refused with one sentence where its rights are closed", async () => {
    const folder = await folderWith("RETOUCH_PORT=9000");
    await chmod(folder, 0o755);
    await chmod(path.join(folder, ".env"), 0);
    const read = asOrdinaryUser(async () => readDotenv(folder));
    await expect(read).rejects.toThrow("cannot be read: permission is denied.");
  });
});

describe("the settings of a process", () => {
  const loadIn = async (text: string, flags?: Record<string, string>) => {
    const folder = await folderWith(text);
    vi.spyOn(process, "cwd").mockReturnValue(folder);
    return loadConfig(flags);
  };

  it("are those of its flags, before its environment, before .env", async () => {
    vi.stubEnv("RETOUCH_HOST", "::1");
    vi.stubEnv("RETOUCH_LOG_LEVEL", "");
    const text =
      "RETOUCH_PORT=1\nRETOUCH_HOST=a\nRETOUCH_WORKERS=2\nRETOUCH_LOG_LEVEL=debug\nRETOUCH_PRICE=\n";
    expect(await loadIn(text, { RETOUCH_PORT: "9" })).toMatchObject({
      port: 9,
      host: "::1",
      workers: 2,
      logLevel: "info",
      price: { amount: 0.03 },
    });
    expect(process.env["RETOUCH_WORKERS"]).toBeUndefined();
  });

  it("say of a wrong or misspelt variable that it stands in .env", async () => {
    vi.stubEnv("RETOUCH_THREADS", "x");
    await expect(loadIn("RETOUCH_PORT=abc\nRETOUCH_PROT=1\nRETOUCH_THREADS=2")).rejects.toThrow(
      [
        'RETOUCH_PORT (in .env) must be a whole number from 0 to 65535, not "abc".',
        'RETOUCH_THREADS must be a whole number from 0 to 1024, not "x".',
        "RETOUCH_PROT (in .env) is not a setting; did you mean RETOUCH_PORT?",
      ].join("\n"),
    );
  });

  it("put into the environment what other libraries read there, unless it has that", async () => {
    vi.stubEnv("AWS_REGION", "here");
    vi.stubEnv("AWS_PROFILE", undefined);
    await loadIn("AWS_REGION=there\nAWS_PROFILE=mine");
    expect([process.env["AWS_REGION"], process.env["AWS_PROFILE"]]).toEqual(["here", "mine"]);
  });
});
