/**
 * At which endpoint a worker looks for its next job. Endpoints take turns, but loading a model costs time: while the
 * turn of the loaded ones lasts, the others wait. An endpoint whose engine cannot be loaded rests, ever longer.
 */

export interface EndpointChoice {
  /** Groups of endpoints to look at, one after the other; those that rest are in none. */
  groups(): string[][];
  /** Where to be while no job waits: the endpoint whose engine was loaded last, or else the first that does not rest. */
  idle(): string | undefined;
  /** Its engine has been loaded, or was found loaded. */
  loaded(endpoint: string, isNew: boolean): void;
  /** A job of it was taken. */
  taken(endpoint: string): void;
  /** Its engine could not be loaded. */
  failed(endpoint: string, reason: string): void;
  /** Why its engine could not be loaded the last time. */
  reasonOf(endpoint: string): string | undefined;
  /** Milliseconds until the first of those that rest is to be tried again. */
  restMs(): number;
}

export interface EndpointChoiceOptions {
  endpoints: readonly string[];
  isLoaded: (endpoint: string) => boolean;
  /** How long the loaded endpoints keep the worker while others have jobs waiting. */
  turnMs: number;
  /** Milliseconds @default those of this process */
  now?: () => number;
}

const MIN_REST_MS = 1000;
const MAX_REST_MS = 30_000;

interface Rest {
  reason: string;
  ms: number;
  until: number;
}

export function createEndpointChoice(options: EndpointChoiceOptions): EndpointChoice {
  const { endpoints, isLoaded, turnMs, now = () => performance.now() } = options;
  const rests = new Map<string, Rest>();
  const takenAt = new Map<string, number>();
  let lastLoaded: string | undefined;
  let loadedAt = -Infinity;
  const awake = (): string[] => endpoints.filter((endpoint) => (rests.get(endpoint)?.until ?? 0) <= now());

  return {
    groups() {
      // Stable: those that had no job yet come in the order of the settings.
      const byTurn = awake().toSorted((a, b) => (takenAt.get(a) ?? 0) - (takenAt.get(b) ?? 0));
      if (now() - loadedAt >= turnMs) return [byTurn];
      return [byTurn.filter(isLoaded), byTurn.filter((endpoint) => !isLoaded(endpoint))];
    },
    idle: () => (lastLoaded !== undefined && isLoaded(lastLoaded) ? lastLoaded : awake()[0]),
    loaded(endpoint, isNew) {
      rests.delete(endpoint);
      lastLoaded = endpoint;
      if (isNew) loadedAt = now();
    },
    taken(endpoint) {
      takenAt.set(endpoint, now());
    },
    failed(endpoint, reason) {
      const ms = Math.min(2 * (rests.get(endpoint)?.ms ?? MIN_REST_MS / 2), MAX_REST_MS);
      rests.set(endpoint, { reason, ms, until: now() + ms });
    },
    reasonOf: (endpoint) => rests.get(endpoint)?.reason,
    restMs: () => Math.max(0, Math.min(...[...rests.values()].map(({ until }) => until - now()))),
  };
}
