import { expect, it } from "vitest";
import { createEndpointChoice } from "../../src/worker/endpoint-choice.ts";

function choiceOf(turnMs: number) {
  let ms = 0;
  const loaded = new Set<string>();
  const endpoints = ["a", "b", "c"];
  const choice = createEndpointChoice({
    endpoints,
    isLoaded: (endpoint) => loaded.has(endpoint),
    turnMs,
    now: () => ms,
  });
  return { choice, loaded, pass: (more: number) => void (ms += more) };
}

it("gives every endpoint its turn, in the order of the settings at first", () => {
  const { choice, pass } = choiceOf(0);
  expect(choice.groups()).toEqual([["a", "b", "c"]]);
  for (const [taken, next] of [
    ["a", ["b", "c", "a"]],
    ["b", ["c", "a", "b"]],
    ["c", ["a", "b", "c"]],
  ] as const) {
    pass(1);
    choice.taken(taken);
    expect(choice.groups()).toEqual([next]);
  }
});

it("stays with what is loaded while its turn lasts, and no longer", () => {
  const { choice, loaded, pass } = choiceOf(1000);
  loaded.add("b");
  choice.loaded("b", true);
  pass(1);
  choice.taken("b");
  expect(choice.groups()).toEqual([["b"], ["a", "c"]]);
  // Being found loaded begins no new turn.
  pass(998);
  choice.loaded("b", false);
  expect(choice.groups()).toEqual([["b"], ["a", "c"]]);
  pass(1);
  expect(choice.groups()).toEqual([["a", "c", "b"]]);
});

it("leaves out what cannot be loaded, ever longer, and idles where something is loaded", () => {
  const { choice, loaded, pass } = choiceOf(0);
  expect(choice.idle()).toBe("a");
  for (const restMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    choice.failed("a", "The checkpoint is missing.");
    expect(choice.groups()).toEqual([["b", "c"]]);
    expect(choice.restMs()).toBe(restMs);
    pass(restMs - 1);
    expect(choice.groups()).toEqual([["b", "c"]]);
    pass(1);
    expect(choice.groups()).toEqual([["a", "b", "c"]]);
  }
  expect(choice.reasonOf("a")).toBe("The checkpoint is missing.");
  loaded.add("c");
  choice.loaded("c", true);
  expect(choice.idle()).toBe("c");
  choice.loaded("a", true);
  expect(choice.reasonOf("a")).toBeUndefined();
  loaded.clear();
  for (const endpoint of ["a", "b", "c"]) choice.failed(endpoint, "Broken.");
  expect([choice.idle(), choice.groups()]).toEqual([undefined, [[]]]);
});
