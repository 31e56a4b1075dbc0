/** A disk that is full under the embedded database. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { copyEmptyDatabase, openEmbedded } from "../support/embedded.ts";
import { smallDisk } from "../support/small-disk.ts";

it("fails while the disk is full, and goes on by itself with all that was acknowledged", async ({ skip }) => {
  const disk = await smallDisk(40);
  if (typeof disk !== "string") return skip(disk.refused);
  const folder = path.join(disk, "database");
  await copyEmptyDatabase(folder);
  const database = await openEmbedded(folder, () => {});
  onTestFinished(() => database.close());
  await database.query("create table numbers (number integer primary key, filling text)");
  await database.query("alter table numbers alter filling set storage external");
  const acknowledged: number[] = [];
  const insert = async (number: number): Promise<void> => {
    await database.query("insert into numbers values ($1, $2)", [number, "x".repeat(100_000)]);
    acknowledged.push(number);
  };
  const ballast = path.join(disk, "ballast");
  writeFileSync(ballast, Buffer.alloc(12 * 2 ** 20));
  const fill = async (): Promise<void> => {
    for (let number = 1; ; number += 1) await insert(number);
  };
  await expect(fill()).rejects.toThrow();
  expect(acknowledged.length).toBeGreaterThan(10);
  for (let number = 1001; number < 1010; number += 1) await insert(number).catch(() => {});

  let later = 2000;
  rmSync(ballast);
  await vi.waitFor(() => insert((later += 1)), { timeout: 90_000, interval: 250 });
  const rows = await database.query<{ number: number }>(
    "select number from numbers where length(filling) = 100000",
  );
  expect(rows.map(({ number }) => number)).toEqual(expect.arrayContaining(acknowledged));
}, 300_000);
