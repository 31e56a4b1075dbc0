/**
 * How many bytes of bodies this process holds: all together, and of each API key. Counted as they arrive, since what is
 * announced costs nothing, until whoever works with a body has let go of it.
 */
import type { Config } from "../config/settings.ts";

export type BudgetSettings = Pick<Config, "bodyBudgetBytes" | "bodyBudgetPerKeyBytes">;

export interface BodyBudget {
  /** Begins a body without a byte. @param onCut there is no room for it any more: it counts no longer, and is to be dropped */
  open(keyId: string, onCut: () => void): BodyHold;
  /** Bytes that are held now. */
  heldBytes(): number;
}

export interface BodyHold {
  /** Counts what has arrived. Where that is too much, this body or another one that still arrives is cut. */
  add(bytes: number): void;
  /** All of it is there: it is not cut any more. */
  complete(): void;
  /** Nobody has it any more. Once is enough. */
  release(): void;
}

interface Arriving {
  keyId: string;
  cut(): void;
}

export function createBodyBudget({ bodyBudgetBytes, bodyBudgetPerKeyBytes }: BudgetSettings): BodyBudget {
  const heldByKey = new Map<string, number>();
  /** The newest last. */
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

  /** The older a body is, the nearer is its end: all of them would be cut by turns otherwise, and none would end. */
  function newestOf(keyId: string): Arriving | undefined {
    return [...arriving].findLast((body) => body.keyId === keyId);
  }

  /** Whoever holds most makes room, so that nobody can keep others out by bodies that do not end. */
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
