/** The examples of the OpenAPI document: complete, valid, and good to send as the reference page shows them. */
import { execFile, spawnSync } from "node:child_process";
import { copyFile, readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { Compile } from "typebox/compile";
import type { TSchema } from "typebox";
import { beforeAll, describe, expect, it } from "vitest";
import { KEY as KEY_IN_CODE } from "../../web/src/call-snippets.ts";
import { snippetsOf } from "../../web/src/call-examples.ts";
import { type Call, callsOf, type OpenApi } from "../../web/src/openapi.ts";
import { closed } from "../support/document.ts";
import { root } from "../support/fixtures.ts";
import type { Receipt } from "../../src/receipts/receipt.ts";
import { RECEIPT } from "../../src/server/openapi/receipt-example.ts";
import { createKey } from "../../src/storage/storage.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { OPERATOR_KEY, resultOf } from "./fakes.ts";
import { documentOf, INPUT, KEY, startServer, type TestServer } from "./server.ts";

const run = promisify(execFile);
const RESULT = createKey("outputs", "png");
let document: OpenApi;
let calls: Call[];

beforeAll(async () => {
  const { app } = await startServer();
  document = documentOf(app) as unknown as OpenApi;
  calls = callsOf(document);
});

describe("the OpenAPI document", () => {
  it("lists its server: the public URL, or the place of the document", async () => {
    expect(document.servers!.map(({ url }) => url)).toEqual(["/"]);
    const { app } = await startServer({ publicUrl: "https://edit.example.com/retouch" });
    const { servers, paths } = documentOf(app) as unknown as OpenApi;
    expect(servers!.map(({ url }) => url)).toEqual(["https://edit.example.com/retouch"]);
    expect(Object.keys(paths)).toEqual(Object.keys(document.paths));
    expect(JSON.stringify(paths)).toContain("https://edit.example.com/retouch/examples/bluebird.png");
  });

  it("has every operation in a family that it describes, under an id of its own", () => {
    const names = document.tags!.map(({ name }) => name);
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    for (const { tags } of operations) expect(names).toContain(tags![0]);
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(calls.length).toBeGreaterThan(15);
  });

  it("has an example of every body, every needed parameter and every answer in text, and each is valid", () => {
    const check = (schema: unknown, example: unknown, place: string): void => {
      expect(example, place).toBeDefined();
      expect([...Compile(closed(schema) as TSchema).Errors(example)], place).toEqual([]);
    };
    for (const { path: route, methods, parameters = [], requestBody, responses } of calls) {
      const place = `${methods.join()} ${route}`;
      for (const { name, schema, example, required } of parameters) {
        if (required || example !== undefined) check(schema, example, `${place} ${name}`);
      }
      const json = requestBody?.content["application/json"];
      if (json) check(json.schema, json.example, place);
      for (const [status, { content = {} }] of Object.entries(responses)) {
        for (const [type, { schema, example }] of Object.entries(content)) {
          if (!type.startsWith("image/")) check(schema, example, `${place} ${status}`);
        }
      }
    }
  });

  it("has no answer without a description of its own", () => {
    const texts = calls.flatMap(({ path: route, responses }) =>
      Object.entries(responses).map(([status, { description }]) => `${route} ${status} ${description}`),
    );
    expect(texts.filter((text) => text.endsWith("Default Response"))).toEqual([]);
  });
});

describe("the code of the reference page", () => {
  const isPython = spawnSync("python3", ["--version"]).status === 0;
  const isCurl = spawnSync("curl", ["--version"]).status === 0;

  it("runs, for every call and in every language that is here", async () => {
    const bird = path.join(root, "examples", "bluebird.png");
    const download = () => readFile(bird);
    const server = await startServer({ purgeRate: 100 }, { pictures: { download, convert: undefined } });
    await server.app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = server.app.server.address() as AddressInfo;
    const address = `http://127.0.0.1:${port}`;
    const folder = await temporaryFolder();
    await copyFile(bird, path.join(folder, "photo.png"));
    const languages = new Set([
      "JavaScript",
      ...(isPython ? ["Python"] : []),
      ...(isCurl ? ["curl", "curl, form"] : []),
    ]);
    let count = 0;
    const families = new Set<string>();
    for (const call of calls) {
      // Nothing is held on this server, and no key has the id of a job.
      if (/^\/operator\/(?:jobs|reviews\/|keys\/)/.test(call.path)) continue;
      const family = call.tags![0]!;
      const isOperators = family === "Operators";
      const own = await prepared(call, server);
      for (const [language, code] of Object.entries(snippetsOf(own, address))) {
        if (!languages.has(language)) continue;
        // Languages differ by what is sent and answered, which is alike within a family.
        if (language !== "JavaScript" && !language.endsWith("form") && families.has(family)) continue;
        const place = `${language}: ${call.methods[0]} ${call.path}`;
        const ended = finishJobs(server);
        const output = await execute(
          language,
          code.replaceAll(KEY_IN_CODE, isOperators ? OPERATOR_KEY : KEY),
          folder,
        ).finally(ended);
        expect(output, place).not.toMatch(/"error"/);
        count += 1;
        if (/\/(?:retry|cancel)/.test(call.path)) break;
      }
      families.add(family);
    }
    expect(count).toBeGreaterThan(calls.length);
  }, 120_000);
});

/** The call with a job and a result that are there. */
async function prepared(call: Call, { submit, jobs, storage, signedUrls }: TestServer): Promise<Call> {
  const id = await submit(INPUT);
  if (call.path.includes("/retry/")) jobs.change(id, { status: "failed", endedAt: new Date() });
  else
    jobs.change(id, {
      status: "completed",
      endedAt: new Date(),
      result: { ...resultOf(RESULT), receipt: RECEIPT as Receipt },
    });
  await storage.put(RESULT, Buffer.from("png"));
  const signed = new URL(signedUrls.sign(RESULT, new Date()), "http://server");
  const values: Record<string, string> = {
    id,
    ...(call.path.startsWith("/files/") && {
      name: signed.pathname.split("/").at(-1)!,
      expires: signed.searchParams.get("expires")!,
      signature: signed.searchParams.get("signature")!,
    }),
  };
  const parameters = call.parameters?.map((one) => ({
    ...one,
    example: values[one.name] ?? one.example ?? "",
  }));
  return { ...call, ...(parameters && { parameters }) };
}

/** Completes jobs as they come, as workers do. @returns ends it */
function finishJobs({ jobs }: TestServer): () => void {
  const timer = setInterval(() => {
    for (const id of jobs.queuedIds())
      jobs.change(id, { status: "completed", endedAt: new Date(), result: resultOf(RESULT) });
  }, 20);
  return () => clearInterval(timer);
}

async function execute(language: string, code: string, folder: string): Promise<string> {
  const [program, ...args] =
    language === "JavaScript"
      ? [process.execPath, "--input-type=module", "--eval", code]
      : language === "Python"
        ? ["python3", "-c", code]
        : ["bash", "-c", code.replaceAll(/\bcurl /g, "curl --silent --show-error --fail-with-body ")];
  const { stdout } = await run(program!, args, { cwd: folder, timeout: 20_000 });
  return stdout;
}
