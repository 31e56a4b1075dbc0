/** Several programs that start at the same time on a database without tables. */
import { expect, it, onTestFinished } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { openData } from "../../src/service/data.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { temporaryFolder } from "../support/temporary.ts";

it("lets servers and workers make the tables of one database at the same time", async ({ skip }) => {
  if (postgresMissing !== undefined) skip(postgresMissing);
  const log = createLog({ level: "silent" });
  for (let round = 0; round < 3; round += 1) {
    const schema = newSchema();
    const config = readConfig({
      DATABASE_URL: databaseUrl,
      RETOUCH_DATABASE_SCHEMA: schema,
      RETOUCH_DATA_DIR: await temporaryFolder(),
    });
    onTestFinished(() => dropSchema(schema));
    const opened = await Promise.allSettled(Array.from({ length: 4 }, () => openData({ config, log })));
    for (const one of opened) if (one.status === "fulfilled") await one.value.close();
    expect(opened.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []))).toEqual([]);
  }
});
