/** Gaps and steps of the database's clock: nobody loses a job or a result by them. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Clock, createClock, HOLD_MS } from "../../src/jobs/clock.ts";
import type { JobsContext } from "../../src/jobs/context.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { readFleet } from "../../src/jobs/workers.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { createAllowances } from "../../src/jobs/allowances.ts";
import { claimDeliveries, findDue } from "../../src/jobs/webhook-deliveries.ts";
import { describeOnDatabases, EDIT, newJob, policy, resultOf } from "../support/jobs.ts";
import { setClock, type SetClock } from "../support/set-clock.ts";

const OWNER = "key-one";
const LEASE_MS = 8000;
const DAY_MS = 24 * 60 * 60_000;

describeOnDatabases(
  "a clock",
  (bench) => {
    let set: SetClock;
    /** Monotonic time that has passed; both clocks stand still but for the test. */
    let passedMs: number;
    beforeEach(async () => {
      passedMs = 0;
      await bench.database.query(`delete from ${bench.schema}.clock`);
      set = await setClock(bench.database);
    });
    afterEach(() => set.close());

    /** One server or worker, from its start on. */
    function start({ isSoleOwner = false } = {}) {
      const clock: Clock = createClock(set.database, {
        leaseMs: LEASE_MS,
        isSoleOwner,
        monotonic: () => passedMs,
      });
      const context: JobsContext = { ...bench.context, database: set.database, clock };
      const maintenance = createMaintenance(context, { deleteInput: async () => {}, onError: raise });
      return {
        clock,
        context,
        jobs: createJobs(context),
        queue: createWorkQueue(context),
        run: maintenance.run,
      };
    }
    type Site = ReturnType<typeof start>;
    /** Lets time pass, for both clocks. */
    async function pass(ms: number, ...sites: Site[]): Promise<void> {
      for (let left = ms; left > 0; left -= 1000) {
        passedMs += Math.min(left, 1000);
        await set.step(Math.min(left, 1000));
        for (const site of sites) await site.run();
      }
    }
    /** What has run for long enough to trust in the clock. */
    async function settled(options = {}): Promise<Site> {
      const site = start(options);
      await site.run();
      await pass(LEASE_MS + 1000, site);
      return site;
    }
    async function running(site: Site, changes = {}) {
      const { job } = await site.jobs.submit(newJob(changes));
      const claimed = (await site.queue.claim("worker-a"))!;
      expect(claimed.id).toBe(job.id);
      const statusNow = async () =>
        (
          await bench.database.query<{ status: string }>(
            `select status from ${bench.schema}.jobs where id = $1`,
            [job.id],
          )
        )[0]?.status;
      return { job, claimed, statusNow };
    }

    describe("that goes on steadily", () => {
      it("takes a job from a worker that is lost for a lease, within ten seconds", async () => {
        const site = await settled();
        const { statusNow } = await running(site);
        await pass(LEASE_MS - 1000, site);
        expect(await statusNow()).toBe("running");
        await pass(2000, site);
        expect(await statusNow()).toBe("queued");
      });

      it("lets whoever starts first wait a lease, unless the database is its own", async () => {
        const first = await settled();
        const { statusNow } = await running(first);
        await pass(2 * LEASE_MS);
        const late = start();
        await late.run();
        await pass(LEASE_MS - 1000, late);
        expect(await statusNow()).toBe("running");
        const sole = start({ isSoleOwner: true });
        await sole.run();
        expect(await statusNow()).toBe("queued");
      });
    });

    describe.each([
      ["has been away for a minute", () => pass(60_000)],
      ["is set forward by nine days", () => set.step(9 * DAY_MS)],
    ])("that %s", (_, disturb) => {
      it("takes no job from a worker that is alive, nor its images", async () => {
        const site = await settled();
        const { claimed, statusNow } = await running(site);
        await disturb();
        await site.run();
        await pass(2000, site);
        expect(await site.queue.renew(claimed, "worker-a")).toBe(true);
        for (let count = 0; count < 10; count += 1) {
          await pass(1000, site);
          await site.queue.renew(claimed, "worker-a");
        }
        expect(await statusNow()).toBe("running");
        // A worker that is lost is still noticed.
        await pass(LEASE_MS + 1000, site);
        expect(await statusNow()).toBe("queued");
      });
    });

    describe("that is set forward by nine days and back again", () => {
      const makeAll = async (site: Site) => {
        const done = await running(site);
        await site.queue.finish(done.claimed, "worker-a", { status: "completed", result: resultOf() });
        const busy = await running(site, policy({ ttlMs: 7 * DAY_MS }));
        const { job: waiting } = await site.jobs.submit(newJob());
        return { done, busy, waiting };
      };
      const rows = async () => ({
        pictures: (await bench.database.query(`select from ${bench.schema}.pictures`)).length,
        jobs: (await bench.database.query(`select from ${bench.schema}.jobs where status <> 'timedOut'`))
          .length,
      });

      it("loses no result and no job, even if everything starts anew in between", async () => {
        const site = await settled();
        const { done, busy, waiting } = await makeAll(site);
        await set.step(9 * DAY_MS);
        await pass(5000, site);
        expect(await rows()).toEqual({ pictures: 1, jobs: 3 });
        // A worker takes what it thinks has expired out of the queue.
        expect(await site.queue.claim("worker-b")).toBeUndefined();
        const restarted = start();
        await restarted.run();
        await pass(5000, restarted);
        expect(await rows()).toEqual({ pictures: 1, jobs: 3 });

        await set.step(-9 * DAY_MS);
        await restarted.run();
        expect(await restarted.jobs.find(done.job.id, OWNER)).toMatchObject({ status: "completed" });
        expect(await restarted.queue.renew(busy.claimed, "worker-a")).toBe(true);
        expect(await restarted.queue.claim("worker-b")).toMatchObject({ id: waiting.id, attempt: 1 });
      });

      it("loses nothing either if it was set while nothing ran", async () => {
        const { done } = await makeAll(await settled());
        await set.step(9 * DAY_MS);
        const restarted = start();
        await restarted.run();
        await pass(5000, restarted);
        expect(await rows()).toEqual({ pictures: 1, jobs: 3 });
        await set.step(-9 * DAY_MS);
        expect(await restarted.jobs.find(done.job.id, OWNER)).toMatchObject({ status: "completed" });
      });

      it("counts as right after an hour: then what has expired ends", async () => {
        const site = await settled();
        await makeAll(site);
        await set.step(9 * DAY_MS);
        await site.run();
        for (let passed = 0; passed < HOLD_MS - 60_000; passed += 60_000) {
          passedMs += 60_000;
          await set.step(60_000);
          await site.run();
        }
        expect(await rows()).toEqual({ pictures: 1, jobs: 3 });
        await pass(62_000, site);
        expect(await rows()).toEqual({ pictures: 0, jobs: 0 });
      });
    });

    it("holds nothing back after a short pause of all, such as a restart", async () => {
      await settled();
      passedMs += 5 * 60_000;
      await set.step(5 * 60_000);
      const restarted = start();
      await restarted.run();
      expect(restarted.clock.latest().mayDelete).toBe(true);
      passedMs += 15 * 60_000;
      await set.step(15 * 60_000);
      const late = start();
      await late.run();
      expect(late.clock.latest().mayDelete).toBe(false);
    });

    it("allows nothing between two looks that are far apart", async () => {
      const site = await settled();
      expect(site.clock.latest()).toMatchObject({ mayJudge: true, mayDelete: true });
      passedMs += 5000;
      expect(site.clock.latest()).toMatchObject({ mayJudge: false, mayDelete: false });
    });

    it.each([5 * 60_000, 9 * DAY_MS, -5 * 60_000])(
      "that is set by %i ms gives no download to a second worker before anyone has noticed",
      async (stepMs) => {
        const site = await settled();
        for (const id of ["worker-a", "worker-b"])
          await site.queue.report({ id, status: "idle", endpoints: { "": {} } });
        const edit = { ...EDIT, images: [{ kind: "url", url: "http://pictures.example/a.png" } as const] };
        await site.jobs.submit(newJob({ edit, ...policy({ ttlMs: 30 * DAY_MS }) }));
        const own = await site.queue.claimSource("worker-a", { maxOfKey: 2 });
        expect(own).toBeDefined();
        await set.step(stepMs);
        expect(await site.queue.claimSource("worker-b", { maxOfKey: 2 })).toBeUndefined();
        await site.queue.report({ id: "worker-a", status: "idle", endpoints: { "": {} } });
        expect(await site.queue.claimSource("worker-b", { maxOfKey: 2 })).toBeUndefined();
        // A worker that is lost is still noticed.
        await pass(2 * LEASE_MS + 2000, site);
        await site.queue.report({ id: "worker-b", status: "idle", endpoints: { "": {} } });
        expect(await site.queue.claimSource("worker-b", { maxOfKey: 2 })).toMatchObject({ id: own!.id });
      },
    );

    describe("that is set back", () => {
      it("lets a worker take the next job at once, and shows no negative time", async () => {
        const site = await settled();
        const { job } = await site.jobs.submit(newJob());
        await set.step(-20_000);
        const claimed = await site.queue.claim("worker-a");
        expect(claimed).toMatchObject({ id: job.id });
        expect(await site.jobs.find(job.id, OWNER)).toMatchObject({ delayMs: 0 });
        await set.step(-20_000);
        expect(await site.jobs.find(job.id, OWNER)).toMatchObject({ executionMs: 0 });
        await site.queue.finish(claimed!, "worker-a", { status: "completed", result: resultOf() });
        expect(await site.jobs.find(job.id, OWNER)).toMatchObject({ delayMs: 0, executionMs: 0 });
      });

      it("does not lengthen leases, nor the life of lost workers", async () => {
        const site = await settled();
        const { statusNow } = await running(site);
        await site.queue.report({ id: "worker-a", status: "running", endpoints: { "": {} } });
        await set.step(-DAY_MS);
        expect((await readFleet(site.context)).workers).toEqual([]);
        await site.run();
        await pass(LEASE_MS + 1000, site);
        expect(await statusNow()).toBe("queued");
      });

      it("keeps no webhook waiting for days, and no caller of a rate", async () => {
        const site = await settled();
        const { job } = await site.jobs.submit(newJob({ webhook: "http://hooks.example/" }));
        const allowances = createAllowances(set.database);
        const take = () => allowances.takeCalls(OWNER, "run", { wanted: 5, limit: 5, windowMs: 10_000 });
        expect(await take()).toMatchObject({ granted: 5 });
        await site.jobs.cancel(job.id, OWNER);
        await set.step(-3 * DAY_MS);
        await site.run();
        const due = async () => {
          const found = await findDue(site.context, { limit: 9, fullKeys: [], fullHosts: {} });
          return claimDeliveries(site.context, { ids: found.map(({ id }) => id), leaseMs: 15_000 });
        };
        expect(await due()).toMatchObject([{ job_id: job.id }]);
        expect(await take()).toMatchObject({ granted: 5 });
        // A try under way is repeated after its time, not after days.
        await set.step(-3 * DAY_MS);
        await site.run();
        expect(await due()).toEqual([]);
        await pass(16_000, site);
        expect(await due()).toMatchObject([{ job_id: job.id, attempts: 2 }]);
      });
    });
  },
  { leaseMs: LEASE_MS },
);

function raise(error: unknown): never {
  throw error;
}
