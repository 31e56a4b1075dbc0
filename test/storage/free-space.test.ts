import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createFreeSpace } from "../../src/storage/free-space.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const full = refusal("DISK_FULL", "The disk of this server is nearly full; try again later.");

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

it("refuses what would leave less room than is to stay free, and looks again a second later", async () => {
  let free = 100;
  const space = createFreeSpace({ folder: "/data", minFreeBytes: 50, read: async () => free });
  await space.admit(50);
  await expect(space.admit(1)).rejects.toEqual(full);
  free = 51;
  vi.advanceTimersByTime(1001);
  await space.admit(1);
  vi.advanceTimersByTime(1001);
  await expect(space.admit(2)).rejects.toEqual(full);
});

it("counts what comes at the same moment", async () => {
  const space = createFreeSpace({ folder: "/data", minFreeBytes: 50, read: async () => 100 });
  const all = await Promise.allSettled(Array.from({ length: 5 }, () => space.admit(20)));
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
});

it("refuses nobody where nothing is to stay free, or the system cannot say", async () => {
  await createFreeSpace({ folder: "/data", minFreeBytes: 0, read: async () => 0 }).admit(1);
  const read = () => Promise.reject(new Error("ENOSYS"));
  await createFreeSpace({ folder: "/data", minFreeBytes: 1, read }).admit(1);
});

it("knows the disk of a folder", async () => {
  const folder = await temporaryFolder();
  await createFreeSpace({ folder, minFreeBytes: 1 }).admit(1);
  await expect(createFreeSpace({ folder, minFreeBytes: 2 ** 60 }).admit(1)).rejects.toEqual(full);
});
