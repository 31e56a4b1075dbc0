/** The service against its own OpenAPI document, by programs that know nothing else of it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePicture } from "../../src/images/encode.ts";
import { createLog } from "../../src/log.ts";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { environment } from "../support/served.ts";
import { startTestService, type TestService } from "../support/service.ts";

const run = promisify(execFile);
const program = (name: string): string => pythonProgram("clients", name);
/** Of each operation and phase; raised to look for more. */
const EXAMPLES = process.env["TEST_EXAMPLES"] ?? "25";
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9/";

/** Thousands of calls in a minute, none of which may wait long. */
const settings = {
  RETOUCH_RUN_RATE: "1000000",
  RETOUCH_RUNSYNC_RATE: "1000000",
  RETOUCH_STATUS_RATE: "1000000",
  RETOUCH_CANCEL_RATE: "1000000",
  RETOUCH_PURGE_RATE: "1000000",
  RETOUCH_REQUESTS_RATE: "1000000",
  RETOUCH_MAX_QUEUED: "1000000",
  RETOUCH_SYNC_WAIT: "1s",
  RETOUCH_STREAM_WAIT: "1s",
  RETOUCH_IMAGE_TIMEOUT: "500ms",
  RETOUCH_SYNC_RETENTION: "10m",
};

describe("the OpenAPI document", () => {
  let service: TestService;
  let folder: string;
  /** What the server logs as a defect. */
  const defects: string[] = [];
  beforeAll(async () => {
    const write = (line: string): void => {
      if (line.includes('"part":"http"')) defects.push(line);
    };
    const log = createLog({ level: "warn", destination: { write } });
    service = await startTestService({ database: "PGlite", settings, log });
    folder = await mkdtemp(path.join(tmpdir(), "retouch-openapi-"));
  });
  afterAll(async () => {
    await service.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("is valid OpenAPI 3.1", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const file = path.join(folder, "openapi.json");
    await writeFile(file, await (await fetch(`${service.address}/openapi.json`)).text());
    const { stdout } = await run(program("openapi-spec-validator"), ["--schema", "3.1", file]);
    expect(stdout).toMatch(/OK\s*$/);
  });

  it("is kept by every answer to what can be made up from it", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const config = path.join(folder, "schemathesis.toml");
    await writeFile(config, await configuration(service));
    const args = ["--config-file", config, "run", `${service.address}/openapi.json`];
    // Its report is what says which call was answered in which other way, and how to repeat it.
    const { stdout, code } = await run(program("schemathesis"), args, {
      cwd: folder,
      env: environment({}),
      maxBuffer: 2 ** 26,
    }).then(
      ({ stdout: text }) => ({ stdout: text, code: 0 }),
      (error: { stdout: string; code: number }) => error,
    );
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/\d{3,} generated, \d{3,} passed/);
    expect(defects).toEqual([]);
  });
});

/** With what no schema can say: jobs and pictures that exist, the key, and addresses that lead nowhere at once. */
async function configuration({ address, key, call }: TestService): Promise<string> {
  const grey = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(128) };
  const inline = `data:image/png;base64,${Buffer.from(await encodePicture(grey, "png")).toString("base64")}`;
  const ids: string[] = [];
  let file = new URL(address);
  // A job may be retried, and is gone after /status?ttl=0.
  for (let count = 0; count < 10; count += 1) {
    const prompt = count % 2 === 0 ? "a hat" : "fail on purpose";
    const { body: job } = await call("/runsync?wait=5000", { body: { input: { prompt, image: inline } } });
    ids.push(job.id);
    if (job.output) file = new URL(job.output.image_url);
  }
  const choices = {
    ids,
    pictures: [inline, file.href, `${address}/examples/bluebird.png`, NOWHERE],
    addresses: [NOWHERE],
    names: [file.pathname.replace("/files/", ""), "bluebird.png"],
    expires: [file.searchParams.get("expires")],
    signatures: [file.searchParams.get("signature")],
  };
  const chosen = {
    "path.id": "ids",
    "body.input.image": "pictures",
    "body.webhook": "addresses",
    "body.s3Config.endpointUrl": "addresses",
    "path.name": "names",
    "query.expires": "expires",
    "query.signature": "signatures",
  };
  return `
color = false
continue-on-failure = true
seed = 1
request-timeout = 20.0
warnings = false
headers = { Authorization = "Bearer ${key}" }
cache = { enabled = false }
generation = { max-examples = ${EXAMPLES}, database = "none" }
phases = { stateful = { enabled = false } }

# What is a picture, an address of one's own or a size that is allowed here, no schema can say.
[[operations]]
include-path-regex = "/(run|runsync|picture)$"
checks = { positive_data_acceptance = { enabled = false } }

# Here 504 says that the wait is over and the edit goes on.
[[operations]]
include-path = "/v1/images/edits"
checks = { positive_data_acceptance = { enabled = false }, not_a_server_error = { expected-statuses = ["2xx", "4xx", 504] } }

# The key may also be in the header of the other name, and the path of one method is a model's name to another.
[[operations]]
include-path-regex = "^/bfl/"
checks = { positive_data_acceptance = { enabled = false }, ignored_auth = { enabled = false }, allow_header_conformance = { enabled = false } }

[[operations]]
include-path-regex = "^/replicate/"
checks = { positive_data_acceptance = { enabled = false } }

[dictionaries]
${Object.entries(choices)
  .map(([name, values]) => `${name} = { values = ${JSON.stringify(values)} }`)
  .join("\n")}

[parameters]
${Object.entries(chosen)
  .map(([name, dictionary]) => `"${name}" = { dictionary = "${dictionary}", probability = 0.7 }`)
  .join("\n")}
`;
}
