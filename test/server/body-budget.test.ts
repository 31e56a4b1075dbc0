import { beforeEach, describe, expect, it } from "vitest";
import { type BodyBudget, type BodyHold, createBodyBudget } from "../../src/server/body-budget.ts";

const SETTINGS = { bodyBudgetBytes: 100, bodyBudgetPerKeyBytes: 80 };

let budget: BodyBudget;
/** Names of bodies in the order in which they were cut. */
let cut: string[];
beforeEach(() => {
  budget = createBodyBudget(SETTINGS);
  cut = [];
});

/** A body of the key that its name begins with. */
function open(name: string, bytes: number): BodyHold {
  const hold = budget.open(name[0]!, () => cut.push(name));
  hold.add(bytes);
  return hold;
}

describe("the budget of bodies", () => {
  it("counts what has arrived until it is let go of, once", () => {
    const first = open("a1", 10);
    const second = open("a2", 20);
    first.add(5);
    expect(budget.heldBytes()).toBe(35);
    first.complete();
    expect(budget.heldBytes()).toBe(35);
    first.release();
    first.release();
    expect(budget.heldBytes()).toBe(20);
    second.release();
    expect(budget.heldBytes()).toBe(0);
    expect(cut).toEqual([]);
  });

  it("takes a key's share to its last byte, and cuts its newest body for one more", () => {
    const first = open("a1", 40);
    open("a2", 20);
    open("a3", 20);
    expect(cut).toEqual([]);
    first.add(1);
    expect(cut).toEqual(["a3"]);
    expect(budget.heldBytes()).toBe(61);
    open("a4", 20);
    expect(cut).toEqual(["a3", "a4"]);
  });

  it("cuts as many bodies as it takes", () => {
    const first = open("a1", 20);
    for (const name of ["a2", "a3", "a4"]) open(name, 20);
    first.add(50);
    expect(cut).toEqual(["a4", "a3", "a2"]);
    expect(budget.heldBytes()).toBe(70);
  });

  it("lets whoever holds most make room for others", () => {
    open("a1", 40);
    open("a2", 20);
    open("b1", 30);
    open("c1", 20);
    expect(cut).toEqual(["a2"]);
    open("b2", 25);
    // That is 55 of b, 40 of a and 20 of c.
    expect(cut).toEqual(["a2", "b2"]);
    expect(budget.heldBytes()).toBe(90);
  });

  it("does not cut what has arrived, and refuses the newcomer instead", () => {
    open("a1", 80).complete();
    open("b1", 15);
    open("c1", 10);
    expect(cut).toEqual(["b1"]);
    open("a2", 1);
    expect(cut).toEqual(["b1", "a2"]);
    expect(budget.heldBytes()).toBe(90);
  });

  it("counts nothing of a body that was cut", () => {
    const only = open("a1", 81);
    expect(cut).toEqual(["a1"]);
    only.add(50);
    only.complete();
    only.release();
    expect(budget.heldBytes()).toBe(0);
    open("a2", 80);
    expect(cut).toEqual(["a1"]);
  });
});
