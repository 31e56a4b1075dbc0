// Makes prepared/database.br, which first starts unpack. Run it after a change of PGlite's version, or when many migrations
// run on top of it.
// Usage: npm run database
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { packPrepared } from "../src/database/prepared.ts";
import { makeFreshDatabase } from "../tools/fresh-database.ts";

const parent = await mkdtemp(path.join(tmpdir(), "retouch-database-"));
try {
  const folder = path.join(parent, "database");
  await mkdir(folder);
  await makeFreshDatabase(folder);
  packPrepared(folder);
} finally {
  await rm(parent, { recursive: true });
}
