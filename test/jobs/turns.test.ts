import { describe, expect, it } from "vitest";
import { quoted } from "../../src/database/migrations.ts";
import type { NewJob } from "../../src/jobs/job.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { describeOnDatabases, EDIT, newJob, policy, SETTINGS } from "../support/jobs.ts";

describeOnDatabases("the turns of keys", (bench) => {
  /** Names of jobs, such as a1, by their ids. */
  const names = new Map<string, string>();
  const submit = async (name: string, changes: Partial<NewJob> = {}): Promise<string> => {
    const { job } = await bench.jobs.submit(newJob({ keyId: `key-${name[0]}`, ...changes }));
    names.set(job.id, name);
    return job.id;
  };
  const claim = async (worker = "worker-a", queue = bench.queue): Promise<string | undefined> => {
    const claimed = await queue.claim(worker);
    return claimed && names.get(claimed.id);
  };
  const claimAll = async (): Promise<string[]> => {
    const order: string[] = [];
    for (let name; (name = await claim());) order.push(name);
    return order;
  };

  it("give every key one job in each round, whenever its jobs came", async () => {
    for (const name of ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]) await submit(name);
    expect(await claimAll()).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  });

  it("count every result of a job", async () => {
    await submit("a1", { edit: { ...EDIT, numImages: 3 } });
    await submit("a2");
    for (const name of ["b1", "b2", "b3", "b4"]) await submit(name);
    expect(await claimAll()).toEqual(["a1", "b1", "b2", "b3", "a2", "b4"]);
  });

  it("let a key that comes late run next, and give it nothing for the time when it had no jobs", async () => {
    for (let count = 1; count <= 6; count += 1) await submit(`a${count}`);
    expect([await claim(), await claim(), await claim()]).toEqual(["a1", "a2", "a3"]);
    for (const name of ["b1", "b2", "b3"]) await submit(name);
    expect(await claimAll()).toEqual(["b1", "a4", "b2", "a5", "b3", "a6"]);
  });

  it("make a key with a running job wait for one that has none", async () => {
    await submit("a1");
    await claim();
    await submit("a2");
    await submit("b1");
    expect(await claimAll()).toEqual(["b1", "a2"]);
  });

  it("hold for each priority by itself", async () => {
    const low = policy({ isLowPriority: true });
    for (const name of ["a1", "a2", "a3"]) await submit(name, low);
    await submit("b1", low);
    for (const name of ["c1", "c2", "d1"]) await submit(name);
    expect(await claimAll()).toEqual(["c1", "d1", "c2", "a1", "b1", "a2", "a3"]);
  });

  it("hold over all servers and workers", async () => {
    for (const name of ["a1", "a2"]) await submit(name);
    const { job } = await bench.other.jobs.submit(newJob({ keyId: "key-b" }));
    names.set(job.id, "b1");
    expect([
      await claim("worker-a"),
      await claim("worker-b", bench.other.queue),
      await claim("worker-a"),
    ]).toEqual(["a1", "b1", "a2"]);
  });

  it("stay a job's own when it is given back, and are new when it is retried", async () => {
    await submit("a1");
    const first = (await bench.queue.claim("worker-a"))!;
    for (const name of ["a2", "b1"]) await submit(name);
    await bench.queue.handBack(first, "worker-a");
    expect(await claimAll()).toEqual(["a1", "b1", "a2"]);
    const id = await submit("a3");
    const failing = (await bench.queue.claim("worker-a"))!;
    await bench.queue.finish(failing, "worker-a", { status: "failed", error: "It failed." });
    await submit("a4");
    await bench.jobs.retry(id, "key-a");
    expect(await claimAll()).toEqual(["a4", "a3"]);
  });

  describe.each([
    ["normal", {}],
    ["low", policy({ isLowPriority: true })],
  ])("of %s priority stay a job's own", (_, changes) => {
    const maintain = (): Promise<void> =>
      createMaintenance(bench.other.context, {
        deleteInput: async () => {},
        onError: (error) => {
          throw error;
        },
      }).run();
    const crash = async (): Promise<void> => {
      const crashing = (await bench.queue.claim("worker-a"))!;
      await bench.queue.fail(crashing, "worker-a", "The engine process ended unexpectedly.");
    };
    const lose = async (): Promise<void> => {
      await bench.queue.claim("worker-lost");
      await bench.age(61);
      await maintain();
    };

    it.each([
      ["when its engine crashed", [crash]],
      ["when its worker was lost", [lose]],
      ["when both happened", [lose, crash]],
    ])("%s, before all that came later", async (__, endings) => {
      for (const name of ["a1", "a2", "b1"]) await submit(name, changes);
      for (const end of endings) await end();
      await submit("c1", changes);
      const attempts = endings.length < SETTINGS.maxAttempts ? ["a1"] : [];
      expect(await claimAll()).toEqual([...attempts, "b1", "c1", "a2"]);
    });

    it("when pg-boss no longer knows it", async () => {
      await submit("a1", changes);
      const crashing = (await bench.queue.claim("worker-a"))!;
      await bench.database.query(`delete from ${quoted(`${bench.database.schema}_queue`)}.job`);
      await bench.queue.fail(crashing, "worker-a", "The engine process ended unexpectedly.");
      expect(await claimAll()).toEqual(["a1"]);
    });

    it("when pg-boss has given it up", async () => {
      for (const name of ["a1", "b1"]) await submit(name, changes);
      const crashing = (await bench.queue.claim("worker-a"))!;
      await bench.database.query(
        `update ${quoted(`${bench.database.schema}_queue`)}.job set state = 'failed' where id in (
           select queue_id from ${bench.schema}.jobs where id = $1)`,
        [crashing.id],
      );
      await bench.queue.fail(crashing, "worker-a", "The engine process ended unexpectedly.");
      expect(await claimAll()).toEqual(["b1", "a1"]);
    });
  });

  it("are kept by a job that crashes every worker until its attempts are over, and by no longer", async () => {
    for (const name of ["a1", "b1"]) await submit(name);
    for (let attempt = 1; attempt <= SETTINGS.maxAttempts; attempt += 1) {
      const poison = (await bench.queue.claim("worker-a"))!;
      expect([names.get(poison.id), poison.attempt]).toEqual(["a1", attempt]);
      await bench.queue.fail(poison, "worker-a", "The engine process ended unexpectedly.");
    }
    expect(await claimAll()).toEqual(["b1"]);
  });
});
