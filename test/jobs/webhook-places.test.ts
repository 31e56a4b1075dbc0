import { describe, expect, it } from "vitest";
import { type Candidate, createWebhookPlaces, type WebhookPlaces } from "../../src/jobs/webhook-places.ts";

const MB = 2 ** 20;

describe("the places of webhooks", () => {
  let count = 0;
  const due = (key: string, changes: Partial<Candidate> = {}): Candidate => {
    count += 1;
    return { id: count, key_id: key, host: `host-${count}.example`, bytes: 1000, ...changes };
  };
  const dues = (number: number, key: string, changes: Partial<Candidate> = {}): Candidate[] =>
    Array.from({ length: number }, () => due(key, changes));
  /** Starts all that may be. @returns how many of each key */
  const enter = (places: WebhookPlaces, candidates: readonly Candidate[]): Record<string, number> => {
    const entered: Record<string, number> = {};
    for (const candidate of places.choose(candidates)) {
      places.enter(candidate);
      entered[candidate.key_id] = (entered[candidate.key_id] ?? 0) + 1;
    }
    return entered;
  };

  it("give a key half of what the others leave, and one to each that has none", () => {
    const places = createWebhookPlaces();
    const given = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(
      (key) => enter(places, dues(200, key))[key],
    );
    expect(given).toEqual([64, 32, 16, 8, 4, 2, 1, 1, 1, 1]);
    expect(places.fullKeys()).toEqual(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
  });

  it("are divided evenly among those that come together, whoever has more", () => {
    const places = createWebhookPlaces();
    expect(enter(places, [...dues(500, "a"), ...dues(30, "b"), ...dues(500, "c")])).toEqual({
      a: 33,
      b: 30,
      c: 32,
    });
  });

  it("never are more than a thousand, however many keys there are", () => {
    const places = createWebhookPlaces();
    const entered = enter(
      places,
      Array.from({ length: 3000 }, (_, at) => due(`key-${at}`)),
    );
    expect(Object.keys(entered)).toHaveLength(1024);
    expect(places.isFull()).toBe(true);
    expect(places.choose([due("late")])).toEqual([]);
  });

  it("count what is under way, and nothing that only was chosen", () => {
    const places = createWebhookPlaces();
    const candidates = dues(64, "a");
    for (let turn = 0; turn < 3; turn += 1) expect(places.choose(candidates)).toHaveLength(64);
    const leave = candidates.map((candidate) => places.enter(candidate));
    expect(places.choose([due("a")])).toEqual([]);
    leave[0]!();
    expect(places.choose([due("a")])).toHaveLength(1);
  });

  it("are four of a key to one host, and some to each key's receiver there", () => {
    const places = createWebhookPlaces();
    const to = { host: "shared.example" };
    expect(enter(places, dues(20, "a", to))).toEqual({ a: 4 });
    expect(places.fullHosts()).toEqual({ a: ["shared.example"] });
    expect(enter(places, [...dues(9, "a"), ...dues(9, "b", to)])).toEqual({ a: 9, b: 4 });
    const others = Array.from({ length: 300 }, (_, at) => dues(4, `key-${at}`, to)).flat();
    const entered = Object.values(enter(places, others));
    expect(entered.reduce((sum, number) => sum + number, 0)).toBe(120);
    // The host is full; other hosts are not.
    expect(enter(places, [due("late", to)])).toEqual({});
    expect(enter(places, [due("late")])).toEqual({ late: 1 });
  });

  it("bound the memory of large bodies, and leave small ones alone", () => {
    const places = createWebhookPlaces();
    expect(enter(places, dues(20, "a", { bytes: 10 * MB }))).toEqual({ a: 3 });
    expect(enter(places, dues(20, "b", { bytes: 10 * MB }))).toEqual({ b: 1 });
    expect(enter(places, [...dues(50, "c"), ...dues(5, "c", { bytes: 10 * MB })])).toEqual({ c: 51 });
    const others = Array.from({ length: 100 }, (_, at) => due(`key-${at}`, { bytes: 10 * MB }));
    expect(Object.keys(enter(places, others))).toHaveLength(20);
    expect(enter(places, [due("late", { bytes: 10 * MB })])).toEqual({});
    expect(enter(places, [due("late")])).toEqual({ late: 1 });
  });

  it("take a body beyond every bound where nothing else is large", () => {
    const places = createWebhookPlaces();
    expect(enter(places, [due("a", { bytes: 900 * MB })])).toEqual({ a: 1 });
    expect(enter(places, [due("b", { bytes: 900 * MB }), due("b")])).toEqual({ b: 1 });
  });
});
