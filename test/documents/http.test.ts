/** docs/http.md has what the server has. */
import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { editInputSchema } from "../../src/server/schemas.ts";
import { documentOf, ENDPOINT, startServer } from "../server/server.ts";
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
    expect(fields.toSorted()).toEqual(Object.keys(editInputSchema(config).properties).toSorted());
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

  it("has a function that knows a genuine webhook", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "retouch-webhook-"));
    const file = path.join(folder, "webhook.mjs");
    await writeFile(file, /```js\n([\s\S]*?)```/.exec(sectionsOf(page).get("Webhooks")!)![1]!);
    const { isGenuine } = (await import(pathToFileURL(file).href)) as {
      isGenuine: (body: Buffer, signature: string | undefined, secret: string) => boolean;
    };
    await rm(folder, { recursive: true });
    const [body, secret] = [Buffer.from('{"id":"x"}'), "a secret of the tests"];
    const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    expect(isGenuine(body, signature, secret)).toBe(true);
    expect(isGenuine(body, signature, "another")).toBe(false);
    expect(isGenuine(body, signature.slice(0, -1), secret)).toBe(false);
    expect(isGenuine(body, undefined, secret)).toBe(false);
  });
});
