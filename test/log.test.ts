import { describe, expect, it } from "vitest";
import { createLog, type Log } from "../src/log.ts";

function recordingLog(level = "info"): {
  log: Log;
  lines: () => Record<string, unknown>[];
  text: () => string;
} {
  const written: string[] = [];
  const log = createLog({ level, destination: { write: (line: string) => void written.push(line) } });
  return {
    log,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    text: () => written.join(""),
  };
}

describe("the log", () => {
  it("writes a line of JSON with the level's name, the time, the job and the sentence", () => {
    const { log, lines } = recordingLog();
    log.child({ jobId: "sync-1" }).warn({ attempt: 2 }, "The worker was lost.");
    expect(lines()).toEqual([
      {
        level: "warn",
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        jobId: "sync-1",
        attempt: 2,
        msg: "The worker was lost.",
      },
    ]);
  });

  it("leaves out what is less important than its level", () => {
    const { log, lines } = recordingLog("error");
    log.warn("no");
    log.error("yes");
    expect(lines().map(({ msg }) => msg)).toEqual(["yes"]);
  });

  it("says nothing when it is silent", () => {
    const { log, text } = recordingLog("silent");
    log.fatal("no");
    expect(text()).toBe("");
  });

  it.each([
    ["a header", { headers: { authorization: "Bearer hunter2" } }],
    ["a header of a request", { req: { headers: { authorization: "hunter2" } } }],
    ["a bucket of a request", { s3Config: { accessId: "a", accessSecret: "hunter2" } }],
    ["a bucket's secret by itself", { job: { request: { accessSecret: "hunter2" } } }],
    ["credentials", { storage: { credentials: { secretAccessKey: "hunter2" } } }],
    ["settings", { config: { apiKey: "hunter2", databaseUrl: "hunter2", webhookSecret: "hunter2" } }],
    ["variables", { env: { RETOUCH_API_KEY: "hunter2", DATABASE_URL: "hunter2" } }],
    ["a body", { body: { input: { prompt: "hunter2" } } }],
    ["a job's input", { job: { input: { image: "hunter2" } } }],
  ])("hides the secret in %s", (_, fields) => {
    const { log, lines, text } = recordingLog();
    log.info(fields, "What happened.");
    expect(text()).not.toContain("hunter2");
    expect(text()).toContain("[hidden]");
    expect(lines()[0]!["msg"]).toBe("What happened.");
  });

  it("hides the secret that a child was made with", () => {
    const { log, text } = recordingLog();
    log.child({ apiKey: "hunter2" }).info("What happened.");
    expect(text()).not.toContain("hunter2");
  });

  it("changes nothing in the objects that it is given", () => {
    const fields = { headers: { authorization: "Bearer hunter2" } };
    recordingLog().log.info(fields, "What happened.");
    expect(fields.headers.authorization).toBe("Bearer hunter2");
  });

  describe("writes short lines", () => {
    const LONG = "x".repeat(9_000_000);
    /** Of the database's driver: the refused row is in it. */
    const refused = Object.assign(new Error("null value in column"), {
      code: "23502",
      table: "jobs",
      detail: "Failing row contains (hunter2).",
      where: LONG,
      $response: { body: "hunter2" },
    });
    it.each<[string, (log: Log) => void]>([
      ["a sentence", (log) => log.warn(LONG)],
      ["a field", (log) => log.warn({ url: LONG, deep: { list: [LONG], [LONG]: 1 } }, "What happened.")],
      ["a list", (log) => log.warn({ list: Array.from({ length: 1e6 }, () => "x") }, "What happened.")],
      ["bytes", (log) => log.warn({ bytes: Buffer.from(LONG) }, "What happened.")],
      ["an error alone", (log) => log.error(new Error(LONG))],
      ["an error", (log) => log.error({ err: new Error(LONG) }, "What happened.")],
      ["an error without a sentence", (log) => log.error({ err: new Error(LONG) })],
      ["an error that was caused", (log) => log.error({ err: new Error("a", { cause: new Error(LONG) }) })],
      ["errors together", (log) => log.error({ err: new AggregateError([new Error(LONG)], LONG) }, "a")],
      ["an error's name", (log) => log.error({ err: Object.assign(new Error("a"), { name: LONG }) }, "a")],
      ["an error of a driver", (log) => log.error({ err: refused }, "What happened.")],
    ])("about %s", (_, write) => {
      const { log, lines, text } = recordingLog();
      write(log);
      expect(lines()).toHaveLength(1);
      expect(text().length).toBeGreaterThan(50);
      expect(text().length).toBeLessThan(20_000);
      expect(text()).not.toContain("hunter2");
    });

    it("with where an error came from, and its causes", () => {
      const { log, lines } = recordingLog();
      log.error({ err: new TypeError(`a ${LONG}`, { cause: refused }) }, "What happened.");
      expect(lines()[0]!["err"]).toEqual({
        type: "TypeError",
        message: expect.stringMatching(/^a x+…$/),
        stack: expect.stringMatching(/^TypeError: a x+…\n +at .*log\.test\.ts/),
        cause: {
          type: "Error",
          message: "null value in column",
          stack: expect.stringContaining("log.test.ts"),
          code: "23502",
          table: "jobs",
        },
      });
    });

    it("about a call, without what it holds", () => {
      class Call {
        rawHeaders = ["authorization", "hunter2"];
      }
      const { log, lines } = recordingLog();
      log.info({ req: new Call(), at: new Date(0), url: new URL("http://host/") }, "What happened.");
      expect(lines()[0]).toMatchObject({
        req: "[Call]",
        at: "1970-01-01T00:00:00.000Z",
        url: "http://host/",
      });
    });
  });
});
