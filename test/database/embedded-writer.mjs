// A process that writes rows into an embedded database and tells of each one that was acknowledged. Run by embedded.test.ts.
import { openEmbeddedDatabase } from "../../dist/database/embedded.js";

const database = await openEmbeddedDatabase({
  folder: process.argv[2],
  schema: "retouch",
  onError: () => {},
});
await database.query("create table numbers (number integer, filling text)");
for (let number = 1; ; number += 1) {
  await database.query("insert into numbers values ($1, $2)", [number, "x".repeat(1000)]);
  process.send(number);
}
