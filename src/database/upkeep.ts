/**
 * What PostgreSQL's background processes do, which PGlite has none of: checkpoints, so that the WAL stays small and the
 * next start after a crash short, and vacuum with analyze, so that dead rows do not pile up. In short steps, in
 * idle moments; where there are none, between two requests once a certain amount was written, so that the folder is bounded
 * under any load.
 */
import type { Cluster } from "./cluster.ts";

export interface Upkeep {
  /**
   * Follows every request, before the next one.
   * @param isFree whether no transaction is open
   */
  afterRequest(isFree: boolean): Promise<void>;
  stop(): void;
}

export interface UpkeepOptions {
  cluster: Cluster;
  /** Runs `step` before the next request, unless one waits. */
  whenIdle: (step: () => Promise<void>) => void;
  onError: (error: unknown) => void;
}

const MEGABYTE = 2 ** 20;
/** Silence that counts as an idle moment. */
const IDLE_MS = 200;
/** Files that were written since the last look, in bytes, before another: in an idle moment, and without one. */
const WRITTEN_IDLE = 0.5 * MEGABYTE;
const WRITTEN_BUSY = 4 * MEGABYTE;
/** WAL since the last checkpoint, in bytes, before another: in an idle moment, and without one. */
const WAL_IDLE = 2 * MEGABYTE;
const WAL_BUSY = 16 * MEGABYTE;
/** After a step that failed, as on a full disk. */
const FAILED_MS = 10_000;

/** What one look finds. */
interface Due {
  /** Bytes of WAL since the last checkpoint. */
  wal: number;
  /** The table that gains most from a vacuum, quoted; nothing where none needs one. */
  table: string | null;
  is_toast: boolean;
}

/**
 * Autovacuum's rule with half its share of dead rows, for tables of all schemas and what lies outside of their rows;
 * tables of some size that were never vacuumed, since a crash loses the counts; and those whose transaction ids age
 * (autovacuum's limit is 200 million; from 150 million on, a vacuum is one that mends it).
 */
const LOOK = `
  with tables as (
    select c.oid::regclass::text as name, c.relkind = 't' as is_toast, s.n_dead_tup as dead
      from pg_stat_all_tables s join pg_class c on c.oid = s.relid
     where s.n_dead_tup > 50 + 0.1 * greatest(c.reltuples, 0)
        or (c.relkind = 'r' and s.n_mod_since_analyze > 250 + 0.1 * greatest(c.reltuples, 0))
        or (s.last_vacuum is null and c.relpages = 0 and pg_relation_size(c.oid) > ${MEGABYTE})
        or age(c.relfrozenxid) > 160000000
     order by s.n_dead_tup desc limit 1)
  select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as wal, name as table, is_toast
    from pg_control_checkpoint() left join tables on true`;

export function createUpkeep({ cluster, whenIdle, onError }: UpkeepOptions): Upkeep {
  let seen = cluster.written;
  let isFree = false;
  let mayWorkAt = 0;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  /** @returns whether anything was due */
  async function step(checkpointAt: number): Promise<boolean> {
    try {
      // The counts of rows are otherwise up to a second old.
      await cluster.query("select pg_stat_force_next_flush()");
      const [due] = await cluster.query<Due>(LOOK);
      if (due!.table !== null) await cluster.query(vacuum(due!.table, due!.is_toast));
      if (due!.wal >= checkpointAt) await cluster.query("checkpoint");
      return due!.table !== null || due!.wal >= checkpointAt;
    } catch (error) {
      onError(error);
      mayWorkAt = performance.now() + FAILED_MS;
      return false;
    } finally {
      seen = cluster.written;
    }
  }

  function wait(): void {
    timer = setTimeout(() => {
      whenIdle(async () => {
        if (isStopped || !isFree || performance.now() < mayWorkAt) return;
        if (await step(WAL_IDLE)) wait();
      });
    }, IDLE_MS);
  }

  return {
    async afterRequest(free) {
      isFree = free;
      clearTimeout(timer);
      if (!free || isStopped) return;
      const written = cluster.written - seen;
      if (written >= WRITTEN_BUSY && performance.now() >= mayWorkAt) await step(WAL_BUSY);
      if (written >= WRITTEN_IDLE) wait();
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

function vacuum(table: string, isToast: boolean): string {
  // What lies outside of a table's rows has a turn of its own.
  return isToast ? `vacuum ${table}` : `vacuum (analyze, process_toast false) ${table}`;
}
