/** docs/http.md has what the server has. */
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { webhookHeaders } from "../../src/jobs/webhook-signature.ts";
import { editInputSchema, USUAL_TRAITS } from "../../src/server/schemas.ts";
import { documentOf, ENDPOINT, startServer } from "../server/server.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { codeIn, pageOf, rowsOf, sectionsOf } from "./pages.ts";

const page = pageOf("docs/http.md");
const config = readConfig({});

describe("docs/http.md", () => {
  it("has every route of the OpenAPI document with its methods, and none else", async () => {
    const { app } = await startServer();
    const known = Object.entries(documentOf(app).paths).flatMap(([route, methods]) =>
      Object.keys(methods).map(
        (method) => `${method.toUpperCase()} ${route.replace(ENDPOINT, "/v2/ENDPOINT")}`,
      ),
    );
    const documented = rowsOf(page).flatMap(([cell]) => {
      const [, methods, route] = /^`([A-Z, ]+) (\/\S+)`$/.exec(cell!) ?? [];
      return methods?.split(", ").map((method) => `${method} ${route}`) ?? [];
    });
    expect(documented.toSorted()).toEqual(known.toSorted());
  });

  it("has every status that a route may answer", async () => {
    const { app } = await startServer();
    const statuses = Object.values(documentOf(app).paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ responses }) => Object.keys(responses)),
    );
    const documented = rowsOf(page).map(([cell]) => cell);
    for (const status of new Set(statuses)) expect(documented).toContain(status);
  });

  it("has every field of an input, and none else", () => {
    const rows = rowsOf(sectionsOf(page).get("Submitting")!);
    const rule = rows.findIndex(([cell]) => cell === "field");
    const documented = rows.slice(0, rule).flatMap(([cell]) => codeIn(cell!));
    const [, ...fields] = documented;
    expect(fields.toSorted()).toEqual(
      Object.keys(editInputSchema(config, USUAL_TRAITS).properties).toSorted(),
    );
  });

  it("has the limits that are there by default", () => {
    const limits = rowsOf(sectionsOf(page).get("Limits")!).filter(([routes]) => routes!.startsWith("`/"));
    expect(limits.map(([, ...numbers]) => numbers.map(Number))).toEqual([
      [config.runRate, config.runConcurrency],
      [config.runsyncRate, config.runsyncConcurrency],
      [config.statusRate, config.statusConcurrency],
      [config.cancelRate, config.cancelConcurrency],
      [config.retryRate, 0],
      [config.readRate, 0],
      [config.purgeRate, 0],
      [config.requestsRate, config.requestsConcurrency],
    ]);
  });

  describe("has a function that knows a genuine webhook", () => {
    const webhooks = sectionsOf(page).get("Webhooks")!;
    const secret = `whsec_${Buffer.from("a secret of the tests, 24").toString("base64")}`;
    const body = '{"id":"ü"}';
    const now = Math.floor(Date.now() / 1000);
    const headersOf = (time: number, ...secrets: string[]): Record<string, string> =>
      webhookHeaders(
        { id: "msg_1", body: Buffer.from(body), attempt: 1, time: new Date(time * 1000) },
        secrets,
        undefined,
      );
    const genuine = headersOf(now, secret);
    const rotated = headersOf(now, `whsec_${"b".repeat(32)}`, secret);
    const cases: [string, Record<string, string>, boolean][] = [
      [body, genuine, true],
      [body, rotated, true],
      [`${body} `, genuine, false],
      [body, headersOf(now, `whsec_${"b".repeat(32)}`), false],
      [body, headersOf(now), false],
      [body, headersOf(now - 400, secret), false],
      [body, headersOf(now + 400, secret), false],
      [body, { ...genuine, "webhook-id": "msg_2" }, false],
      [body, { ...genuine, "webhook-timestamp": String(now - 1) }, false],
      [body, { ...genuine, "webhook-timestamp": "soon" }, false],
      [body, { ...genuine, "webhook-signature": genuine["webhook-signature"]!.slice(0, -1) }, false],
      [body, {}, false],
    ];
    const wanted = cases.map(([, , isGenuine]) => isGenuine);

    it("in JavaScript", async () => {
      const folder = await temporaryFolder();
      const file = path.join(folder, "webhook.mjs");
      await writeFile(file, /```js\n([\s\S]*?)```/.exec(webhooks)![1]!);
      const { isGenuine } = (await import(pathToFileURL(file).href)) as {
        isGenuine: (body: Buffer, headers: Record<string, string>, secret: string) => boolean;
      };
      expect(cases.map(([text, headers]) => isGenuine(Buffer.from(text), headers, secret))).toEqual(wanted);
    });

    it("in Python", async ({ skip }) => {
      const python = ["python3", "python"].find(
        (name) => spawnSync(name, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0,
      );
      if (python === undefined) return skip("no Python 3.9 or newer here");
      const program = `${/```python\n([\s\S]*?)```/.exec(webhooks)![1]!}
import json, sys
cases = json.load(sys.stdin.buffer)
print(json.dumps([is_genuine(text.encode(), headers, cases["secret"]) for text, headers, _ in cases["cases"]]))
`;
      const { stdout, stderr } = spawnSync(python, ["-c", program], {
        input: JSON.stringify({ secret, cases }),
        encoding: "utf8",
      });
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toEqual(wanted);
    });
  });
});
