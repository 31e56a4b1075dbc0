/** The OpenAPI document says what is sent. That every answer fits it, `server.ts` and `support/service.ts` see to. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { PRECISIONS } from "../../src/jobs/job.ts";
import { undocumented } from "../support/document.ts";
import { root } from "../support/fixtures.ts";
import { documentOf, ENDPOINT, startServer } from "./server.ts";

interface Schema {
  type?: string;
  enum?: readonly string[];
  anyOf?: readonly { required: string[] }[];
  properties: Record<string, Schema>;
  items: Schema;
}

async function document() {
  const { app } = await startServer();
  return documentOf(app);
}

describe("the OpenAPI document", () => {
  it("requires the image, by one of its two names or by the edit that made it", async () => {
    const { paths } = await document();
    for (const route of ["/run", "/runsync"]) {
      const { post } = paths[ENDPOINT + route] as unknown as {
        post: { requestBody: { content: Record<string, { schema: Schema }> } };
      };
      const { input } = post.requestBody.content["application/json"]!.schema.properties;
      expect(input!.anyOf).toEqual(["image", "images", "parent"].map((field) => ({ required: [field] })));
    }
  });

  it("has the LoRAs of a result, and every precision that it may have", async () => {
    const { paths } = await document();
    const reply = paths[`${ENDPOINT}/status/{id}`]!["get"]!.responses["200"]!;
    const { output } = (reply.content!["application/json"]!.schema as Schema).properties;
    const { loras, precision } = output!.properties;
    expect(Object.keys(loras!.items.properties)).toEqual(["name", "scale"]);
    expect(precision!.enum).toEqual(PRECISIONS);
  });

  it("is made of schemas that say themselves what they take", () => {
    const folder = path.join(root, "src", "server");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    expect(files.length).toBeGreaterThan(20);
    const unsafe = files.filter((name) => readFileSync(path.join(folder, name), "utf8").includes("Unsafe("));
    expect(unsafe).toEqual([]);
  });
});

describe("an answer that is not in the document", () => {
  it("is found out by its status, a field too many and one of another type", async () => {
    const status = { method: "GET", url: `${ENDPOINT}/status/a`, contentType: "application/json" };
    const found = async (code: number, body: object): Promise<string[]> =>
      undocumented(await document(), { ...status, status: code, body: JSON.stringify(body) });
    const job = { id: "a", status: "COMPLETED" };
    expect(await found(200, job)).toEqual([]);
    expect(await found(418, job)).toHaveLength(1);
    expect(await found(200, { ...job, output: { layers: 3 } })).not.toEqual([]);
    expect(await found(200, { ...job, retries: "two" })).not.toEqual([]);
  });
});
