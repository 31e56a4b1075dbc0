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
});
