/** Texts of a megabyte, made to stop a careless pattern, in every place that takes one: refused at once, and shown to nobody. */
import { describe, expect, it } from "vitest";
import { imageEditSchema } from "../../src/server/openai/schemas.ts";
import { editInputSchema, jobBodySchema, USUAL_TRAITS } from "../../src/server/schemas.ts";
import { ENDPOINT, INPUT, KEY, startServer, type TestServer } from "./server.ts";
import { cpuMs } from "../support/cpu-time.ts";

const SIDES = { minSide: 256, maxSide: 1536 };
const MEGABYTE = 2 ** 20;
/** As long as headers and addresses may be together. */
const HEADER = 12_000;
/** A pattern that is not linear takes minutes. */
const MAX_MS = 1000;
const MAX_ANSWER = 500;

/** Each begins as if it were about to be what is wanted, and is not. */
const textsOf = (length: number): Record<string, string> => ({
  blanks: `${" ".repeat(length)}x`,
  digits: `${"1".repeat(length)}x`,
  "digits and blanks": `1${" ".repeat(length)}x`,
  "a size": `1024${" ".repeat(length / 2)}*${" ".repeat(length / 2)}x`,
  slashes: `https://host${"/".repeat(length)}x`,
  "an address": `https://host.example/${"a".repeat(length)}`,
  dots: `${".".repeat(length)}x`,
  letters: "a".repeat(length),
  "wide letters": "𝒜".repeat(length / 4),
  commas: ", ".repeat(length / 2),
});
const TEXTS = textsOf(MEGABYTE);
/** These are base64, and a picture until somebody looks at it. */
const isPicture = (field: string, text: string): boolean =>
  /^(?:input\.)?images?\b/.test(field) && ["letters", "digits and blanks"].includes(text);

/** Names of the fields of a schema that are texts, and those of the objects in it. */
function textFields(schema: object, path: readonly string[] = []): string[][] {
  const { type, properties, items } = schema as {
    type?: string | string[];
    properties?: object;
    items?: object;
  };
  // A text, or a list of them.
  if ([type].flat().includes("string")) return [[...path]];
  if (items) return textFields(items, [...path, "0"]);
  return Object.entries(properties ?? {}).flatMap(([name, inner]) =>
    textFields(inner as object, [...path, name]),
  );
}

/** The value with `text` at a place in it. */
function withText(value: unknown, [name, ...rest]: readonly string[], text: string): unknown {
  if (name === undefined) return text;
  if (name === "0") return [withText(undefined, rest, text)];
  const fields = (value ?? {}) as Record<string, unknown>;
  return { ...fields, [name]: withText(fields[name], rest, text) };
}

async function timed<Result>(work: () => Promise<Result>): Promise<Result> {
  const start = cpuMs();
  const result = await work();
  expect(cpuMs() - start).toBeLessThan(MAX_MS);
  return result;
}

/** An answer that says what is wrong and no more, and a log that is as quiet. */
function expectShort(
  server: TestServer,
  response: { statusCode: number; body: string },
  statuses: number[],
  about = "",
): void {
  expect(statuses, `${about} ${response.body.slice(0, MAX_ANSWER)}`).toContain(response.statusCode);
  expect(response.body.length).toBeLessThan(MAX_ANSWER);
  expect(JSON.stringify(server.lines).length).toBeLessThan(10_000);
}

const formOf = (name: string, text: string, headers = ""): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${headers}\r\n\r\n${text}\r\n--b--\r\n`;
const S3 = { accessId: "a", accessSecret: "b", bucketName: "pictures", endpointUrl: "https://s3.example" };
const JOB = { input: INPUT, s3Config: S3 };

const jobFields = textFields(jobBodySchema(editInputSchema(SIDES, USUAL_TRAITS)));
const editFields = textFields(imageEditSchema(SIDES)).map((path) => path.join("."));

describe("texts of a megabyte", () => {
  it("have no place that this test does not know", () => {
    const names = jobFields.map((path) => path.join("."));
    expect(names).toEqual(
      expect.arrayContaining(["input.prompt", "input.loras.0.name", "webhook", "s3Config.objectPath"]),
    );
    expect(editFields).toEqual(expect.arrayContaining(["prompt", "size", "user", "model"]));
  });

  it.each(jobFields)("are refused in the JSON of /run: %s", async (...path) => {
    const server = await startServer();
    for (const [name, text] of Object.entries(TEXTS)) {
      const body = JSON.stringify(
        withText(path.includes("images") ? { ...JOB, input: { prompt: "a" } } : JOB, path, text),
      );
      const response = await timed(() => server.call("POST", "/run", { body }));
      if (isPicture(path.join("."), name)) expect(response.statusCode).toBe(200);
      else expectShort(server, response, [400], `${path.join(".")}: ${name}`);
      server.lines.length = 0;
    }
  });

  it.each([...editFields, "seed", "guidance", "n", "stream", "image", "image[]", "quality", "other"])(
    "are refused in a form: %s",
    async (field) => {
      const server = await startServer();
      for (const [name, text] of Object.entries(TEXTS)) {
        if (isPicture(field, name)) continue;
        const response = await timed(() =>
          server.inject({
            method: "POST",
            url: "/v1/images/edits?wait=1000",
            headers: { authorization: KEY, "content-type": "multipart/form-data; boundary=b" },
            payload: formOf(field, text),
          }),
        );
        expectShort(server, response, [400]);
      }
    },
  );

  it.each([...editFields, "seed", "n", "images", "image"])(
    "are refused in OpenAI's JSON: %s",
    async (field) => {
      const server = await startServer();
      for (const [name, text] of Object.entries(TEXTS)) {
        if (isPicture(field, name)) continue;
        const body = withText({ prompt: "a", image: INPUT.image }, field.split("."), text);
        const response = await timed(() =>
          server.inject({
            method: "POST",
            url: "/v1/images/edits?wait=1000",
            headers: { authorization: KEY },
            payload: JSON.stringify(body),
          }),
        );
        expectShort(server, response, [400]);
      }
    },
  );

  it("are refused as the name of a field, and in the headers of a part", async () => {
    const server = await startServer();
    for (const text of Object.values(TEXTS)) {
      for (const payload of [
        formOf(text, "a"),
        formOf("prompt", "a", `; filename="${text}"`),
        formOf("prompt", "a", `\r\nContent-Type: text/plain; charset=${text}`),
        formOf("prompt", "a", `\r\nX-Other: ${text}`),
      ]) {
        const response = await timed(() =>
          server.inject({
            method: "POST",
            url: "/v1/images/edits",
            headers: { authorization: KEY, "content-type": "multipart/form-data; boundary=b" },
            payload,
          }),
        );
        expectShort(server, response, [400]);
      }
    }
  });

  it("are not kept in fields that nobody knows, nor those in what a job is", async () => {
    const server = await startServer();
    const text = TEXTS["letters"]!;
    for (const path of [
      ["input", "other"],
      ["input", "loras", "0", "other"],
      ["policy", "other"],
      ["s3Config", "other"],
      ["other"],
      ["input", text],
    ]) {
      const job = { ...JOB, input: { ...INPUT, loras: [] } };
      const body = withText(job, path, text) as { input: { loras?: object[] } };
      if (path.includes("loras")) body.input.loras = [{ name: "ink", other: text }];
      const response = await timed(() => server.call("POST", "/run", { body }));
      expectShort(server, response, [200, 400]);
    }
    expect(server.jobs.submitted.length).toBeGreaterThan(3);
    for (const submitted of server.jobs.submitted)
      expect(JSON.stringify(submitted).length).toBeLessThan(2000);
  });

  it("as a key that comes twice are shown in part", async () => {
    const server = await startServer();
    const key = JSON.stringify(TEXTS["letters"]);
    const response = await timed(() => server.call("POST", "/run", { body: `{${key}:1,${key}:2}` }));
    expectShort(server, response, [400]);
  });
});

describe("headers and addresses as long as they may be", () => {
  const texts = textsOf(HEADER);
  it.each(["authorization", "idempotency-key", "host", "content-type", "if-none-match", "origin", "x-other"])(
    "are read at once: %s",
    async (name) => {
      const server = await startServer();
      for (const text of Object.values(texts)) {
        const value = Buffer.from(text, "utf8")
          .toString("latin1")
          .replaceAll(/[^\x20-\x7e]/g, "x");
        for (const [method, url] of [
          ["POST", "/v1/images/edits"],
          ["POST", `${ENDPOINT}/run`],
          ["GET", "/healthz"],
          ["GET", "/files/a.png"],
        ] as const) {
          const payload = method === "POST" ? { payload: JSON.stringify({ input: INPUT }) } : {};
          const headers = { authorization: KEY, [name]: value };
          const response = await timed(() => server.app.inject({ method, url, headers, ...payload }));
          expectShort(server, response, [200, 400, 401, 404, 421]);
          server.lines.length = 0;
        }
      }
    },
  );

  it.each(["wait", "ttl", "offset", "limit", "from", "to", "expires", "signature", "other"])(
    "are read at once in a query: %s",
    async (name) => {
      const server = await startServer({ requestsRate: 1000 });
      for (const text of Object.values(texts)) {
        for (const path of ["/status/x", "/status-sync/x", "/requests", "/usage", "/webhook-deliveries"]) {
          const query = `?${name}=${encodeURIComponent(text.slice(0, HEADER / 3))}`;
          const response = await timed(() => server.call("GET", `${path}${query}`));
          expectShort(server, response, [200, 404]);
          server.lines.length = 0;
        }
        const file = await server.app.inject({ url: `/files/a.png?expires=${encodeURIComponent(text)}` });
        expectShort(server, file, [404]);
        server.lines.length = 0;
      }
    },
  );
});
