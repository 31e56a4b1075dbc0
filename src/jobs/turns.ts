/**
 * Decides whose turn it is. Jobs of equal priority run in rounds, one job of each key that has any waiting: a
 * job's turn is the round in which it runs. A key's first job joins the current round, each further one the
 * round after the key's previous job, or as many rounds later as that has results (start-time fair queueing: Goyal, Vin,
 * Cheng, 1996). The current round is the turn of the latest job that a worker took. Each endpoint has rounds of its own.
 */

/** The counter that holds the current round, one per priority. */
export const counterOfTurn = (isLowPriority: string): string =>
  `case when ${isLowPriority} then 'low_priority_turn' else 'turn' end`;

/** The turn of a key's next job, as an SQL expression; what it is made from are expressions too. */
export function nextTurn(
  schema: string,
  { keyId, endpoint, isLowPriority }: Record<"keyId" | "endpoint" | "isLowPriority", string>,
): string {
  return `greatest(
    (select value from ${schema}.counters
      where counters.endpoint = ${endpoint} and name = ${counterOfTurn(isLowPriority)}),
    (select max(turn + coalesce((others.edit ->> 'numImages')::integer, 1)) from ${schema}.jobs as others
      where others.key_id = ${keyId} and others.endpoint = ${endpoint} and others.is_low_priority = ${isLowPriority}
        and others.status in ('queued', 'running')))`;
}
