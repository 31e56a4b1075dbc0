#!/usr/bin/env bash
# @electric-sql/pglite 0.5.16 with a folder of the file system, on Node.
#
# PostgreSQL in WebAssembly starts with -F (fsync off). Asked for fsync=on, it reports "on", and a commit or a checkpoint
# still reaches no fsync or fdatasync of the system: the file system between them answers "done" by itself. A commit
# survives a killed process, since the system has the bytes, and no power cut. Whoever needs durability has to sync the
# written files itself before an answer leaves, the log first, and data files at checkpoints.
#
# Output on 2026-11-30:
#   fsync on
#   synchronous_commit on
#   writes for ten commits and a checkpoint: more than ten
#   syncs: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >count.mjs <<'JS'
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const calls = { writes: 0, syncs: 0 };
const counted = { writeSync: "writes", fsync: "syncs", fsyncSync: "syncs", fdatasync: "syncs", fdatasyncSync: "syncs" };
for (const [name, kind] of Object.entries(counted)) {
  const original = fs[name];
  fs[name] = (...args) => {
    calls[kind] += 1;
    return original(...args);
  };
}
syncBuiltinESMExports();
const { PGlite } = await import("@electric-sql/pglite");
const startParams = [...PGlite.defaultStartParams, "-c", "fsync=on", "-c", "synchronous_commit=on"];
const database = await PGlite.create({ dataDir: "data", startParams });
const names = "('fsync', 'synchronous_commit')";
const { rows } = await database.query(`select name, setting from pg_settings where name in ${names} order by name`);
for (const { name, setting } of rows) console.log(name, setting);
await database.exec("create table numbers (id integer)");
const before = calls.writes;
for (let id = 0; id < 10; id += 1) await database.query("insert into numbers values ($1)", [id]);
await database.exec("checkpoint");
const writes = calls.writes - before;
console.log("writes for ten commits and a checkpoint:", writes > 10 ? "more than ten" : writes);
console.log("syncs:", calls.syncs);
await database.close();
JS

npm init --yes >/dev/null
npm install --silent --ignore-scripts @electric-sql/pglite@0.5.16
node count.mjs | tee found
diff found - <<'EXPECTED'
fsync on
synchronous_commit on
writes for ten commits and a checkpoint: more than ten
syncs: 0
EXPECTED
