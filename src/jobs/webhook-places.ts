/**
 * Which of the due webhooks are tried now, so that receivers that hang delay no other key. A key may hold at most half of
 * what the other keys leave free, and one more is always tried of a key that has none under way. This holds for
 * tries in all, for tries to one host, and for the bytes of large bodies.
 */

export interface Candidate {
  id: number;
  key_id: string;
  /** Host of the receiver, with its port; empty if the URL is oddly spelled. */
  host: string;
  /** About how many bytes its body has. */
  bytes: number;
}

export interface WebhookPlaces {
  /** Picks those that may be tried now, given in the order in which they are due; none is under way before `enter`. */
  choose<Due extends Candidate>(due: readonly Due[]): Due[];
  /** Counts a try. @returns a function that ends it, to be called once */
  enter(candidate: Candidate): () => void;
  /** Keys of which no more may be tried, whatever their receivers. */
  fullKeys(): string[];
  /** Hosts to which no more may be tried, by key. */
  fullHosts(): Record<string, string[]>;
  /** Whether nothing more may be tried. */
  isFull(): boolean;
}

/** What is divided, and what is never exceeded. */
interface Limit {
  shared: number;
  most: number;
}

/** Each try needs a connection, and memory for a small body. */
const TRIES: Limit = { shared: 128, most: 1024 };
const TRIES_TO_HOST: Limit = { shared: 32, most: 128 };
/** Of one key to one host. */
const MAX_OF_KEY_TO_HOST = 4;
const MB = 2 ** 20;
const BYTES: Limit = { shared: 64 * MB, most: 256 * MB };
/** A body below this size is covered by the limit on tries. */
const LARGE_BYTES = 64 * 1024;

/** How many one key can ever have under way. */
export const MAX_OF_KEY = TRIES.shared / 2;

/** What all keys together hold, and each of them. */
class Held {
  total = 0;
  private readonly limit: Limit;
  private readonly byKey = new Map<string, number>();

  constructor(limit: Limit) {
    this.limit = limit;
  }

  of(key: string): number {
    return this.byKey.get(key) ?? 0;
  }

  keys(): string[] {
    return [...this.byKey.keys()];
  }

  fits(key: string, amount: number): boolean {
    if (amount === 0) return true;
    const own = this.of(key);
    const { shared, most } = this.limit;
    if (this.total + amount > most && this.total > 0) return false;
    return own === 0 || own + amount <= (shared - (this.total - own)) / 2;
  }

  add(key: string, amount: number): void {
    const own = this.of(key) + amount;
    this.total += amount;
    if (own === 0) this.byKey.delete(key);
    else this.byKey.set(key, own);
  }
}

class Counts {
  readonly tries = new Held(TRIES);
  readonly bytes = new Held(BYTES);
  readonly hosts = new Map<string, Held>();

  fits(candidate: Candidate): boolean {
    const { key_id: key, host } = candidate;
    return (
      this.tries.fits(key, 1) && this.bytes.fits(key, countedBytes(candidate)) && !this.isFullHost(key, host)
    );
  }

  isFullHost(key: string, host: string): boolean {
    const held = this.hosts.get(host);
    return held !== undefined && (held.of(key) >= MAX_OF_KEY_TO_HOST || !held.fits(key, 1));
  }

  add(candidate: Candidate, sign: 1 | -1): void {
    const { key_id: key, host } = candidate;
    const held = this.hosts.get(host) ?? new Held(TRIES_TO_HOST);
    held.add(key, sign);
    if (held.total === 0) this.hosts.delete(host);
    else this.hosts.set(host, held);
    this.tries.add(key, sign);
    this.bytes.add(key, sign * countedBytes(candidate));
  }
}

const countedBytes = ({ bytes }: Candidate): number => (bytes < LARGE_BYTES ? 0 : bytes);

export function createWebhookPlaces(): WebhookPlaces {
  const counts = new Counts();
  return {
    choose(due) {
      const chosen = byTurns(due, counts.tries).filter((candidate) => {
        if (!counts.fits(candidate)) return false;
        // Counted until all are chosen: only those that are then claimed are under way.
        counts.add(candidate, 1);
        return true;
      });
      for (const candidate of chosen) counts.add(candidate, -1);
      return chosen;
    },
    enter(candidate) {
      counts.add(candidate, 1);
      return () => counts.add(candidate, -1);
    },
    fullKeys: () => counts.tries.keys().filter((key) => !counts.tries.fits(key, 1)),
    fullHosts() {
      const full: Record<string, string[]> = {};
      for (const [host, held] of counts.hosts) {
        for (const key of held.keys()) if (counts.isFullHost(key, host)) (full[key] ??= []).push(host);
      }
      return full;
    },
    isFull: () => counts.tries.total >= TRIES.most,
  };
}

/** Keys with few tries under way come first, and take turns. */
function byTurns<Due extends Candidate>(due: readonly Due[], tries: Held): Due[] {
  const turns = new Map<string, number>();
  return due
    .map((candidate) => {
      const turn = turns.get(candidate.key_id) ?? tries.of(candidate.key_id);
      turns.set(candidate.key_id, turn + 1);
      return { candidate, turn };
    })
    .toSorted((a, b) => a.turn - b.turn)
    .map(({ candidate }) => candidate);
}
