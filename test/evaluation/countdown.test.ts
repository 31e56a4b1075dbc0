import { expect, it } from "vitest";
import { createCountdown } from "../../evaluation/evaluate.ts";

it("says every ten seconds how long the rest takes at the speed so far", () => {
  const said: string[] = [];
  let time = 0;
  const countdown = createCountdown(
    100,
    (sentence) => said.push(sentence),
    () => time,
  );
  for (const seconds of [4, 8, 12, 16, 20, 24]) {
    time = 1000 * seconds;
    countdown.done("scenes", 4);
  }
  expect(said).toEqual(["scenes: 12 % done, 1 min 28 s left", "scenes: 24 % done, 1 min 16 s left"]);
});
