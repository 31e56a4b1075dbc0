import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeys, type StoredKeys } from "../../src/keys/keys.ts";
import { describeOnDatabases } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

const CHOSEN = "a-key-that-the-operator-chose";

describeOnDatabases("API keys", (bench) => {
  let keys: StoredKeys;
  /** Those of another process, with a memory of its own. */
  let others: StoredKeys;
  let queries: number;
  beforeEach(() => {
    queries = 0;
    const { database, events } = bench.context;
    const query: typeof database.query = (text, values) => {
      queries += 1;
      return database.query(text, values);
    };
    keys = createKeys({ ...database, query }, events);
    others = createKeys(bench.other.context.database, bench.other.context.events);
  });
  afterEach(() => {
    keys.close();
    others.close();
  });

  it("are shown once and kept as a hash alone", async () => {
    const { key, record } = await keys.create("shop");
    expect(key).toMatch(/^rtk_[A-Za-z0-9_-]{32}$/);
    expect(record).toEqual({
      id: expect.stringMatching(/^key_[0-9a-f]{16}$/),
      name: "shop",
      prefix: key.slice(0, 10),
      createdAt: expect.any(Date),
    });
    const rows = await bench.database.query<{ hash: Buffer }>(`select * from ${bench.schema}.api_keys`);
    expect(rows).toHaveLength(1);
    expect(rows[0]!.hash.equals(createHash("sha256").update(key).digest())).toBe(true);
    expect(JSON.stringify(rows)).not.toContain(key.slice(10));
    expect((await keys.create("shop")).key).not.toBe(key);
  });

  it("are known by the whole key, to other processes too", async () => {
    const { key, record } = await keys.create("shop");
    for (const one of [keys, others]) {
      expect(await one.verify(key)).toEqual(record);
      for (const wrong of ["", key.slice(0, -1), `${key}x`, key.toUpperCase(), record.id, record.prefix]) {
        expect(await one.verify(wrong)).toBeUndefined();
      }
    }
  });

  it.each([
    ["no character", ""],
    ["blanks alone", " \t"],
    ["more than 100", "a".repeat(101)],
    ["megabytes", "a".repeat(9_000_000)],
    ["a sequence that steers a terminal", "shop\u001b[2J"],
    ["another line", "shop\nrtk_forged"],
    ["a line separator", "shop\u2028"],
    ["DEL", "shop\u007f"],
    ["a control character of 8 bits", "shop\u009b31m"],
    ["half a character", "shop\ud83d"],
    ["a mark that turns the line round", "shop\u202egnp"],
  ])("have no name with %s", async (_, name) => {
    await expect(keys.create(name)).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "The name of a key must have 1 to 100 characters, none of them a control character.",
      ),
    );
    expect(await keys.list()).toEqual([]);
  });

  it.each(["a", "🐦".repeat(100), "größer (laptop) 👨‍👩‍👧", "עברית"])("may be called %s", async (name) => {
    expect((await keys.create(name)).record.name).toBe(name);
  });

  it("are looked up once in a few seconds, wrong ones too", async () => {
    const news = new Promise<void>((resolve) => bench.context.events.on("key", undefined, resolve));
    const { key } = await keys.create("shop");
    // Which makes everybody look again.
    await news;
    for (const asked of [key, "a-wrong-key"]) {
      await keys.verify(asked);
      queries = 0;
      await Promise.all([keys.verify(asked), keys.verify(asked)]);
      expect(queries).toBe(0);
    }
  });

  it("cost no query each where they are made up, one after the other or together", async () => {
    const { key, record } = await keys.create("shop");
    await keys.verify(key);
    const made = (index: number): string => `rtk_${createHash("sha256").update(`${index}`).digest("hex")}`;
    queries = 0;
    for (let index = 0; index < 500; index += 1) expect(await keys.verify(made(index))).toBeUndefined();
    await Promise.all(Array.from({ length: 5000 }, (_, index) => keys.verify(made(1000 + index))));
    expect(await keys.verify(key)).toEqual(record);
    // One a second, in case that news of a key got lost.
    expect(queries).toBeLessThan(20);
  });

  it.each(["", "short", "x".repeat(201), "x".repeat(1e6), "a key with blanks in it", "ключ-как-ключ-но-нет"])(
    "cost nothing where they cannot be any (%#)",
    async (wrong) => {
      queries = 0;
      expect(await keys.verify(wrong)).toBeUndefined();
      expect(queries).toBe(0);
    },
  );

  it("are known a second after they were made elsewhere, even where the news of it was lost", async () => {
    const { database } = bench.context;
    const deaf = createKeys(database, { on: () => () => {} });
    expect(await deaf.verify(CHOSEN)).toBeUndefined();
    const record = await keys.ensure(CHOSEN, "chosen");
    await expect.poll(() => deaf.verify(CHOSEN)).toEqual(record);
    await keys.revoke(record.id);
    await expect.poll(() => deaf.verify(CHOSEN)).toBeUndefined();
    deaf.close();
  });

  it("are asked for where there are more than fit into memory, many in a query", async () => {
    const { database, events } = bench.context;
    const made = await Promise.all(["a", "b", "c", "d"].map((name) => keys.create(name)));
    let asked = 0;
    const query: typeof database.query = (text, values) => {
      asked += 1;
      return database.query(text, values);
    };
    const many = createKeys({ ...database, query }, events, { maxKeys: 2 });
    for (const { key, record } of made) expect(await many.verify(key)).toEqual(record);
    asked = 0;
    const wrong = Array.from({ length: 900 }, (_, index) => many.verify(`${CHOSEN}-${index}`));
    expect(new Set(await Promise.all(wrong))).toEqual(new Set([undefined]));
    expect(asked).toBeLessThan(10);
    // Those that were made up have driven out none that exists.
    const [{ key, record }] = [made[3]!];
    asked = 0;
    expect(await many.verify(key)).toEqual(record);
    expect(asked).toBe(0);
    await keys.revoke(record.id);
    await expect.poll(() => many.verify(key), { timeout: 3000 }).toBeUndefined();
    many.close();
  });

  it("are looked up again where the database did not answer", async () => {
    const { key, record } = await keys.create("shop");
    const { database, events } = bench.context;
    let isAway = true;
    const query: typeof database.query = (text, values) =>
      isAway ? Promise.reject(new Error("The connection is down.")) : database.query(text, values);
    const flaky = createKeys({ ...database, query }, events);
    await expect(flaky.verify(key)).rejects.toThrow("The connection is down.");
    isAway = false;
    expect(await flaky.verify(key)).toEqual(record);
    flaky.close();
  });

  it("have terms that the operator alone settles, which count at once and in all processes", async () => {
    const { key, record } = await keys.create("shop", { safetyThreshold: 0.25 });
    expect(record).toMatchObject({ safetyThreshold: 0.25 });
    expect(record.isOperator).toBeUndefined();
    for (const one of [keys, others]) await one.verify(key);
    expect(await keys.update(record.id, { isOperator: true })).toMatchObject({
      isOperator: true,
      safetyThreshold: 0.25,
    });
    expect(await keys.verify(key)).toMatchObject({ isOperator: true });
    await expect.poll(() => others.verify(key)).toMatchObject({ isOperator: true });
    const back = await keys.update(record.id, { isOperator: false, safetyThreshold: null });
    expect([back!.isOperator, back!.safetyThreshold]).toEqual([undefined, undefined]);
    expect(await keys.update("key_unknown", { isOperator: true })).toBeUndefined();
    await keys.revoke(record.id);
    expect(await keys.update(record.id, { isOperator: true })).toBeUndefined();
  });

  it.each([-0.01, 1.01, Number.NaN])("have no threshold of %s", async (safetyThreshold) => {
    const wrong = refusal(
      "INVALID_PARAMETER",
      `safetyThreshold must be a number from 0 to 1, not ${safetyThreshold}.`,
    );
    await expect(keys.create("shop", { safetyThreshold })).rejects.toEqual(wrong);
    await expect(keys.update("key_1", { safetyThreshold })).rejects.toEqual(wrong);
    expect(await keys.list()).toEqual([]);
  });

  it("tell in lists when they were last used, written once a minute at most", async () => {
    const { key, record } = await keys.create("shop");
    expect((await keys.list())[0]!.lastUsedAt).toBeUndefined();
    await keys.verify(`${key}x`);
    expect((await keys.list())[0]!.lastUsedAt).toBeUndefined();
    await keys.verify(key);
    const lastUse = async (): Promise<Date | undefined> => (await keys.list())[0]!.lastUsedAt;
    await expect.poll(lastUse).toBeInstanceOf(Date);
    const before = await lastUse();
    expect(await keys.verify(key)).toEqual(record);
    expect(await lastUse()).toEqual(before);
  });

  it("count no more once they are revoked, at once and in all processes", async () => {
    const { key, record } = await keys.create("shop");
    for (const one of [keys, others]) await one.verify(key);
    expect(await keys.revoke(record.id)).toBe(true);
    expect(await keys.verify(key)).toBeUndefined();
    // Before what the other one remembers would be looked up again by itself.
    await expect.poll(() => others.verify(key), { timeout: 3000 }).toBeUndefined();
  });

  it("are not remembered as wrong once they are made", async () => {
    expect(await others.verify(CHOSEN)).toBeUndefined();
    const record = await keys.ensure(CHOSEN, "chosen");
    await expect.poll(() => others.verify(CHOSEN)).toEqual(record);
  });

  it("are revoked once", async () => {
    const { record } = await keys.create("shop");
    const both = await Promise.all([keys, others].map((one) => one.revoke(record.id)));
    expect(both.toSorted()).toEqual([false, true]);
    expect(await keys.revoke("unknown")).toBe(false);
  });

  it("are listed newest first, revoked ones with the time of that", async () => {
    const { record: first } = await keys.create("first");
    const { record: second } = await keys.create("second");
    await keys.revoke(first.id);
    expect(await others.list()).toEqual([second, { ...first, revokedAt: expect.any(Date) }]);
  });

  describe("have webhook secrets", () => {
    const rows = (): Promise<{ secret: string; ends_at: Date | null }[]> =>
      bench.database.query(`select secret, ends_at from ${bench.schema}.webhook_secrets order by id`);

    it("that are made with them, each another one", async () => {
      const made = [await keys.create("a"), await keys.create("b")];
      const secrets = made.map(({ webhookSecret }) => webhookSecret);
      expect(new Set(secrets).size).toBe(2);
      for (const secret of secrets) {
        expect(secret).toMatch(/^whsec_/);
        expect(Buffer.from(secret.slice(6), "base64")).toHaveLength(24);
      }
      expect((await rows()).map(({ secret }) => secret)).toEqual(secrets);
    });

    it("on demand where they have none, as those of the operator's choice", async () => {
      const { id } = await keys.ensure(CHOSEN, "chosen");
      expect(await rows()).toEqual([]);
      expect(await keys.revokeOldWebhookSecrets(id)).toBe(0);
      const rotated = (await keys.rotateWebhookSecret(id, 3_600_000))!;
      expect(rotated.oldUntil).toBeUndefined();
      expect(await rows()).toEqual([{ secret: rotated.secret, ends_at: null }]);
    });

    it("that are replaced, the one before with an end", async () => {
      const { record, webhookSecret } = await keys.create("shop");
      const { secret, oldUntil } = (await keys.rotateWebhookSecret(record.id, 3_600_000))!;
      expect(Math.abs(oldUntil!.getTime() - Date.now() - 3_600_000)).toBeLessThan(60_000);
      expect(await rows()).toEqual([
        { secret: webhookSecret, ends_at: oldUntil },
        { secret, ends_at: null },
      ]);
      expect(await keys.revokeOldWebhookSecrets(record.id)).toBe(1);
      expect(await rows()).toEqual([{ secret, ends_at: null }]);
    });

    it("that leave no other one behind where nothing is to be kept", async () => {
      const { record } = await keys.create("shop");
      await keys.rotateWebhookSecret(record.id, 3_600_000);
      const { secret } = (await keys.rotateWebhookSecret(record.id, 0))!;
      expect(await rows()).toEqual([{ secret, ends_at: null }]);
    });

    it("of which four old ones sign at most", async () => {
      const { record } = await keys.create("shop");
      const { id } = record;
      for (let count = 0; count < 4; count += 1) await keys.rotateWebhookSecret(id, 3_600_000);
      await expect(keys.rotateWebhookSecret(id, 3_600_000)).rejects.toEqual(
        refusal(
          "INVALID_PARAMETER",
          `4 older webhook secrets of ${id} still sign: \`retouch keys revoke-old-webhook-secrets ${id}\` ends them.`,
        ),
      );
      await bench.age(3601);
      expect(await keys.rotateWebhookSecret(id, 3_600_000)).toBeDefined();
    });

    it("of which one is the newest, however many rotations come at once", async () => {
      const { record } = await keys.create("shop");
      await Promise.all([keys, others, keys].map((one) => one.rotateWebhookSecret(record.id, 60_000)));
      expect((await rows()).filter((row) => row.ends_at === null)).toHaveLength(1);
      expect(await rows()).toHaveLength(4);
    });

    it("not after they are revoked, and not for an id that nobody has", async () => {
      const { record } = await keys.create("shop");
      await keys.revoke(record.id);
      expect(await keys.rotateWebhookSecret(record.id, 0)).toBeUndefined();
      expect(await keys.rotateWebhookSecret("key_unknown", 0)).toBeUndefined();
      expect(await keys.revokeOldWebhookSecrets("key_unknown")).toBeUndefined();
    });

    it.each([-1, 0.5, NaN, 31 * 86_400_000])("that are not kept for %s ms", async (keepMs) => {
      const { record } = await keys.create("shop");
      await expect(keys.rotateWebhookSecret(record.id, keepMs)).rejects.toThrow("from 0 to 30 days");
      expect(await rows()).toHaveLength(1);
    });
  });

  describe("that the operator chose", () => {
    it("are made once, by whoever is first", async () => {
      const made = await Promise.all([keys, others, keys].map((one) => one.ensure(CHOSEN, "chosen")));
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      expect(await keys.list()).toEqual([made[0]]);
      expect(await keys.verify(CHOSEN)).toEqual(made[0]);
    });

    it("stay revoked when they are asked for again", async () => {
      const { id } = await keys.ensure(CHOSEN, "chosen");
      await keys.revoke(id);
      expect(await keys.ensure(CHOSEN, "again")).toMatchObject({ id, revokedAt: expect.any(Date) });
      expect(await keys.verify(CHOSEN)).toBeUndefined();
    });
  });
});
