/**
 * Which networks are loaded at a time. If the memory plan says that all fit, they stay loaded; otherwise each is loaded
 * when it is needed, and only as many others are released as that takes.
 */
import type { Session, Tensor } from "../runtime/session.ts";
import type { Component } from "./component.ts";
import { isResident, type MemoryPlan, SHARED_SHARE } from "./memory-plan.ts";

type Tensors = Record<string, Tensor>;

export class Residency {
  readonly #components: readonly Component[];
  readonly #limitBytes: number;
  readonly #isLoadedAhead: boolean;
  #plan: MemoryPlan;
  /** One network runs at a time; a running one must not be released. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param plan the memory plan of a usual edit
   * @param limitBytes what the process may take
   * @param isLoadedAhead whether networks that all fit are loaded at once; otherwise by their first runs
   */
  constructor(
    components: readonly Component[],
    plan: MemoryPlan,
    limitBytes: number,
    isLoadedAhead: boolean = true,
  ) {
    this.#components = components;
    this.#plan = plan;
    this.#limitBytes = limitBytes;
    this.#isLoadedAhead = isLoadedAhead;
  }

  /** Whether every network stays loaded. */
  get isWhole(): boolean {
    return isResident(this.#plan, this.#limitBytes);
  }

  /** Plans for another edit's sizes from now on; loads every network if all of them fit and are to be loaded ahead. */
  follow(plan: MemoryPlan): Promise<void> {
    return this.#inTurn(async () => {
      this.#plan = plan;
      if (!this.isWhole || !this.#isLoadedAhead) return;
      for (const component of this.#components) await component.load();
    });
  }

  /** Runs a network, loading it first if need be. @param take what is done with its outputs before it can be released */
  run(
    component: Component,
    inputs: Readonly<Tensors>,
    take: (outputs: Tensors) => Promise<Tensors> = (outputs) => Promise.resolve(outputs),
  ): Promise<Tensors> {
    return this.#inTurn(async () => take(await (await this.#loaded(component)).run(inputs)));
  }

  /** Runs a network that takes several images, with several; only while all networks stay loaded. */
  runSeveral(component: Component, inputs: Readonly<Tensors>): Promise<Tensors> {
    return this.#inTurn(async () => (await component.loadSeveral()).run(inputs));
  }

  /** Releases every network, once the running one has finished. */
  dispose(): Promise<void> {
    return this.#inTurn(async () => {
      await Promise.all(this.#components.map((component) => component.release()));
    });
  }

  async #loaded(component: Component): Promise<Session> {
    for (let missing = this.#missingBytes(component); missing > 0; missing = this.#missingBytes(component)) {
      const released = this.#toRelease(component, missing);
      if (released === undefined) break;
      await released.release();
    }
    return component.load();
  }

  /** Bytes by which the process would exceed its limit while `component` runs. */
  #missingBytes(component: Component): number {
    const { heldBytes, components } = this.#plan;
    const others = this.#others(component).map(({ name }) => components[name]!.privateBytes);
    const { privateBytes, workingBytes } = components[component.name]!;
    const taken = others.reduce((sum, bytes) => sum + bytes, heldBytes + privateBytes + workingBytes);
    return taken - SHARED_SHARE * this.#limitBytes;
  }

  /** The smallest network that frees enough alone, or else the largest: a small one is quick to load again. */
  #toRelease(component: Component, missing: number): Component | undefined {
    const size = ({ name }: Component): number => this.#plan.components[name]!.privateBytes;
    const others = this.#others(component).toSorted((a, b) => size(a) - size(b));
    return others.find((other) => size(other) >= missing) ?? others.at(-1);
  }

  #others(component: Component): Component[] {
    return this.#components.filter((other) => other !== component && other.isLoaded);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
