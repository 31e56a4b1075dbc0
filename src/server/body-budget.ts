/**
 * Limits how many bytes of bodies this process holds, in total and per API key. Bytes count as they arrive,
 * since an announced length costs nothing, until whoever works with the body has released it.
 */
import type { Config } from "../config/settings.ts";

export type BudgetSettings = Pick<Config, "bodyBudgetBytes" | "bodyBudgetPerKeyBytes">;

export interface BodyBudget {
  /**
   * Begins an empty body.
   * @param onCut called when there is no more room for it: it no longer counts, and must be dropped
   */
  open(keyId: string, onCut: () => void): BodyHold;
  /** Bytes held now. */
  heldBytes(): number;
}

export interface BodyHold {
  /** Counts what has arrived. If that is too much, this body or another one still arriving is cut. */
  add(bytes: number): void;
  /** The body has arrived in full: it is no longer cut. */
  complete(): void;
  /** Nobody holds the body any more. Calling it once is enough. */
  release(): void;
}

interface Arriving {
  keyId: string;
  cut(): void;
}

export function createBodyBudget({ bodyBudgetBytes, bodyBudgetPerKeyBytes }: BudgetSettings): BodyBudget {
  const heldByKey = new Map<string, number>();
  /** Newest last. */
  const arriving = new Set<Arriving>();
  let held = 0;

  function count(keyId: string, bytes: number): void {
    held += bytes;
    const ofKey = heldOf(keyId) + bytes;
    if (ofKey === 0) heldByKey.delete(keyId);
    else heldByKey.set(keyId, ofKey);
  }
  const heldOf = (keyId: string): number => heldByKey.get(keyId) ?? 0;
  const isShareFull = (keyId: string): boolean => heldOf(keyId) > bodyBudgetPerKeyBytes;
  const isFull = (): boolean => held > bodyBudgetBytes;

  /** Older bodies are nearer to their end: cutting others than the newest might let none ever finish. */
  function newestOf(keyId: string): Arriving | undefined {
    return [...arriving].findLast((body) => body.keyId === keyId);
  }

  /** The key that holds the most makes room, so that nobody keeps others out with endless bodies. */
  function greediestKey(): string | undefined {
    const keys = [...new Set([...arriving].map(({ keyId }) => keyId))];
    return keys.toSorted((a, b) => heldOf(b) - heldOf(a))[0];
  }

  function makeRoom(keyId: string): void {
    while (isShareFull(keyId)) newestOf(keyId)!.cut();
    while (isFull()) newestOf(greediestKey()!)!.cut();
  }

  return {
    open(keyId, onCut) {
      let own = 0;
      let isOver = false;
      const release = (): void => {
        if (isOver) return;
        isOver = true;
        arriving.delete(body);
        count(keyId, -own);
      };
      const body: Arriving = {
        keyId,
        cut() {
          release();
          onCut();
        },
      };
      arriving.add(body);
      return {
        add(bytes) {
          if (isOver) return;
          own += bytes;
          count(keyId, bytes);
          if (isFull() || isShareFull(keyId)) makeRoom(keyId);
        },
        complete: () => void arriving.delete(body),
        release,
      };
    },
    heldBytes: () => held,
  };
}
