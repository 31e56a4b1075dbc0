import { describe, expect, it } from "vitest";
import { createAllowances, forgetAllowances } from "../../src/jobs/allowances.ts";
import { describeOnDatabases } from "../support/jobs.ts";

describeOnDatabases("what servers give out together", (bench) => {
  const both = () => [bench.database, bench.other.context.database].map(createAllowances) as [Server, Server];
  type Server = ReturnType<typeof createAllowances>;

  describe("of a rate", () => {
    const options = { wanted: 3, limit: 10, windowMs: 10_000 };
    const take = async (server: Server, changes = {}) =>
      (await server.takeCalls("key-one", "run", { ...options, ...changes })).granted;

    it("is no more than the limit", async () => {
      const [one, other] = both();
      expect([
        await take(one),
        await take(other),
        await take(one),
        await take(other),
        await take(one),
      ]).toEqual([3, 3, 3, 1, 0]);
      expect((await other.takeCalls("key-two", "run", options)).granted).toBe(3);
      expect((await other.takeCalls("key-one", "cancel", options)).granted).toBe(3);
    });

    it("is no more than the limit when all ask at once", async () => {
      const servers = both();
      const all = await Promise.all(Array.from({ length: 12 }, (_, at) => take(servers[at % 2]!)));
      expect(all.reduce((sum, granted) => sum + granted, 0)).toBe(10);
    });

    it("begins anew when the window is over, for everyone at the same time", async () => {
      const [one, other] = both();
      const first = await one.takeCalls("key-one", "run", { ...options, wanted: 10 });
      expect(first.endsInMs).toBeGreaterThan(9000);
      await bench.age(4);
      const second = await other.takeCalls("key-one", "run", options);
      expect(second.granted).toBe(0);
      expect(second.endsInMs).toBeLessThan(6100);
      await bench.age(7);
      expect(await take(other, { wanted: 10 })).toBe(10);
    });

    it("grows with the limit", async () => {
      const [one] = both();
      expect(await take(one, { wanted: 10 })).toBe(10);
      expect(await take(one, { limit: 12 })).toBe(2);
      expect(await take(one, { limit: 5 })).toBe(0);
      expect(await take(one, { limit: 13 })).toBe(1);
    });
  });

  describe("of calls at the same time", () => {
    const hold = (server: Server, held: number, wanted: number) =>
      server.holdPlaces("key-one", "run", { held, wanted, limit: 5 });

    it("is no more than the limit, and comes back", async () => {
      const [one, other] = both();
      expect([await hold(one, 0, 3), await hold(other, 0, 3), await hold(one, 3, 4)]).toEqual([3, 2, 3]);
      expect(await hold(one, 3, 0)).toBe(0);
      expect(await hold(other, 2, 6)).toBe(5);
    });

    it("is no more than the limit when all ask at once", async () => {
      const servers = Array.from({ length: 6 }, (_, at) =>
        createAllowances(at % 2 ? bench.database : bench.other.context.database),
      );
      const all = await Promise.all(servers.map((server) => hold(server, 0, 2)));
      expect(all.reduce((sum, places) => sum + places, 0)).toBe(5);
    });

    it("is free again when its server gives no sign of life", async () => {
      const [lost, other] = both();
      expect(await hold(lost, 0, 5)).toBe(5);
      await bench.age(10);
      await lost.renewPlaces();
      await bench.age(10);
      expect(await hold(other, 0, 1)).toBe(0);
      await bench.age(6);
      expect(await hold(other, 0, 4)).toBe(4);
      expect(await hold(lost, 5, 6)).toBe(5);
    });
  });

  it("is forgotten when it is over", async () => {
    const [one] = both();
    await one.takeCalls("key-one", "run", { wanted: 1, limit: 1, windowMs: 1000 });
    await one.holdPlaces("key-one", "run", { held: 0, wanted: 1, limit: 1 });
    const rows = async () =>
      (
        await bench.database.query(
          `select key_id from ${bench.schema}.rates union all select key_id from ${bench.schema}.call_places`,
        )
      ).length;
    await forgetAllowances(bench.database);
    expect(await rows()).toBe(2);
    await bench.age(62);
    await forgetAllowances(bench.database);
    expect(await rows()).toBe(0);
  });
});
