import { expect, it, vi } from "vitest";
import { Batcher, type Question } from "../../../src/engine/batches/batcher.ts";
import { BatchSpeeds, RUNS_OF_SIZE } from "../../../src/engine/batches/batch-speeds.ts";

const question = (input: number, shape = "a"): Question<number> => ({ shape, input });
const doubled = (inputs: readonly number[]): Promise<Float32Array[]> =>
  Promise.resolve(inputs.map((input) => Float32Array.of(2 * input)));
const numbers = (answers: readonly Float32Array[]): number[] => answers.map(([one]) => one!);

/** Lanes that each ask once, by the questions of each. */
async function ask(batcher: Batcher<number>, lanes: readonly (readonly Question<number>[])[], most = 4) {
  const party = batcher.party({ most });
  const open = lanes.map(() => party.enter());
  const answers = await Promise.all(open.map((lane, index) => lane.ask(lanes[index]!)));
  party.close();
  return answers.map(numbers);
}

it("answers when every image asks, both passes of each, and those of one shape by one run", async () => {
  const run = vi.fn<typeof doubled>(doubled);
  const batcher = new Batcher({ speeds: new BatchSpeeds({ isForced: true }), run });
  const two = [[question(1), question(2)], [question(3, "b")]];
  const answers = [[2, 4], [6]];
  // The first time, both alone and together.
  expect(await ask(batcher, two)).toEqual(answers);
  expect(run.mock.calls).toEqual([[[1]], [[2]], [[1, 2]], [[3]]]);
  run.mockClear();
  expect(await ask(batcher, two)).toEqual(answers);
  expect(run.mock.calls).toEqual([[[1, 2]], [[3]]]);
  run.mockClear();
  expect(await ask(batcher, two, 1)).toEqual(answers);
  expect(run.mock.calls).toEqual([[[1]], [[2]], [[3]]]);
});

it("never runs images together whose bits then differ, or that fail", async () => {
  for (const together of [
    async (inputs: readonly number[]) => inputs.map((input) => Float32Array.of(2 * input + 1e-6)),
    () => Promise.reject(new Error("no memory")),
  ]) {
    const speeds = new BatchSpeeds({ isForced: true });
    const run = vi.fn<typeof doubled>((inputs) => (inputs.length === 1 ? doubled(inputs) : together(inputs)));
    const batcher = new Batcher({ speeds, run });
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await ask(batcher, [[question(1)], [question(2)]])).toEqual([[2], [4]]);
    }
    expect(run.mock.calls.filter(([inputs]) => inputs.length > 1)).toHaveLength(1);
    expect(speeds.found).toMatchObject([{ shape: "a", unequal: [2] }]);
  }
});

it("tells each image alone of its failure where one of several cannot be answered", async () => {
  const speeds = new BatchSpeeds({ isForced: true });
  speeds.compared("a", 2, true);
  const run = async (inputs: readonly number[]): Promise<Float32Array[]> => {
    if (inputs.includes(3)) throw new Error("a broken image");
    return doubled(inputs);
  };
  const party = new Batcher({ speeds, run }).party({ most: 2 });
  const [one, other] = [party.enter(), party.enter()];
  const [answered, failed] = await Promise.allSettled([one.ask([question(1)]), other.ask([question(3)])]);
  expect(answered).toEqual({ status: "fulfilled", value: [Float32Array.of(2)] });
  expect(failed).toMatchObject({ status: "rejected", reason: new Error("a broken image") });
});

it("refuses what is asked when the edit ends, and aborts between runs", async () => {
  const controller = new AbortController();
  const run = vi.fn<typeof doubled>((inputs) => {
    controller.abort();
    return doubled(inputs);
  });
  const batcher = new Batcher({ speeds: new BatchSpeeds(), run });
  const party = batcher.party();
  const [one, other] = [party.enter(controller.signal), party.enter(controller.signal)];
  const waiting = one.ask([question(1)]);
  party.close();
  await expect(waiting).rejects.toThrow("no longer drawn");
  expect(run).not.toHaveBeenCalled();

  const again = batcher.party();
  const lanes = [again.enter(controller.signal), again.enter(controller.signal)];
  const results = await Promise.allSettled(lanes.map((lane, index) => lane.ask([question(index)])));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(run).toHaveBeenCalledTimes(1);
  other.leave();
});

it("measures one size after the other, then takes the fastest, and remembers it", () => {
  const speeds = new BatchSpeeds();
  expect(speeds.toCompare("a", 4)).toBe(2);
  speeds.compared("a", 2, true);
  speeds.compared("a", 4, true);
  const seconds = { 1: 1, 2: 1.5, 4: 3.2 };
  const turns: number[] = [];
  while (!speeds.isSettled("a", 4)) {
    const size = speeds.next("a", 4) as 1 | 2 | 4;
    turns.push(size);
    speeds.ran("a", size, seconds[size]);
  }
  expect(turns).toEqual([1, 2, 4].flatMap((size) => Array.from({ length: RUNS_OF_SIZE }, () => size)));
  expect([4, 3, 2, 1].map((most) => speeds.next("a", most))).toEqual([2, 2, 2, 1]);
  const next = new BatchSpeeds();
  next.learn(speeds.found);
  expect([next.found, next.isSettled("a", 4), next.next("a", 4)]).toEqual([speeds.found, true, 2]);
});

it("has images alone where a batch gains too little, or one takes long", () => {
  const speeds = new BatchSpeeds();
  speeds.compared("a", 2, true);
  for (let run = 0; run < RUNS_OF_SIZE; run += 1) {
    speeds.ran("a", 1, 1);
    speeds.ran("a", 2, 1.97);
  }
  expect(speeds.next("a", 2)).toBe(1);
  speeds.ran("long", 1, 6);
  expect([speeds.toCompare("long", 4), speeds.isSettled("long", 4), speeds.next("long", 4)]).toEqual([
    undefined,
    true,
    1,
  ]);
});

it("corrects what it knows by runs of one image that had nothing to choose, and keeps what changes by it", async () => {
  const speeds = new BatchSpeeds();
  speeds.compared("a", 2, true);
  for (let run = 0; run < RUNS_OF_SIZE; run += 1) {
    // Another program was busy.
    speeds.ran("a", 1, 3);
    speeds.ran("a", 2, 4);
  }
  expect(speeds.next("a", 2)).toBe(2);
  const onSettled = vi.fn<() => void>();
  const batcher = new Batcher({ speeds, run: doubled, onSettled });
  expect(await ask(batcher, [[question(1)]])).toEqual([[2]]);
  expect([speeds.next("a", 2), onSettled.mock.calls.length]).toEqual([1, 1]);
  // Nothing is learnt of a shape that nobody has several images of.
  expect(await ask(batcher, [[question(1, "b")]])).toEqual([[2]]);
  expect(speeds.found.map(({ shape }) => shape)).toEqual(["a"]);
});

it("runs questions together that share what a run takes for all of its images, and no others", async () => {
  const run = vi.fn<typeof doubled>(doubled);
  const speeds = new BatchSpeeds({ isForced: true });
  speeds.compared("a", 2, true);
  const batcher = new Batcher({ speeds, run });
  const [one, other] = [{}, {}];
  const questions = [one, other, one].map((shared, index) => [{ ...question(index), shared }]);
  expect(await ask(batcher, questions)).toEqual([[0], [2], [4]]);
  expect(run.mock.calls).toEqual([[[0, 2]], [[1]]]);
});

it("waits for images that are still to come, and not for those that do not", async () => {
  const run = vi.fn<typeof doubled>(doubled);
  const speeds = new BatchSpeeds({ isForced: true });
  speeds.compared("a", 2, true);
  let missing = 2;
  const party = new Batcher({ speeds, run }).party({ most: 2, isComplete: () => missing === 0 });
  const first = party.enter();
  const answer = first.ask([question(1)]);
  await Promise.resolve();
  expect(run).not.toHaveBeenCalled();
  const second = party.enter();
  missing = 0;
  expect(await Promise.all([answer, second.ask([question(2)])])).toEqual([
    [Float32Array.of(2)],
    [Float32Array.of(4)],
  ]);
  expect(run.mock.calls).toEqual([[[1, 2]]]);
  const waiting = first.ask([question(3)]);
  party.close([second]);
  expect(await waiting).toEqual([Float32Array.of(6)]);
  await expect(second.ask([question(4)])).rejects.toThrow("no longer drawn");
});
