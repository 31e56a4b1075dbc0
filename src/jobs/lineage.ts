/**
 * Which edit another one continues. An edit of a result of the same key, at the same endpoint, is that edit's child; the
 * chain of parents leads back to the picture that the first one was made from. Nothing is kept for it: a chain is there for
 * as long as the rows of its jobs.
 */
import type { Sql } from "../database/database.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { JobLineage, JobStatus, ResultImage } from "./job.ts";
import { type Chain, continuationOf, originalOf, type Turn } from "./original.ts";

/** Whose jobs: nobody learns of those of others. */
export interface Owner {
  keyId: string;
  /** As the database has it: `endpoints.ts`. */
  endpoint: string;
}

/** The most turns that are looked at: more instructions are longer than a prompt may be. */
const MAX_TURNS = 500;

interface TurnRow {
  id: string;
  status: JobStatus;
  prompt: string;
  prompt2: string | null;
  has_mask: boolean;
  num_images: number;
  lineage: JobLineage | null;
  source: { key: string; sha256?: string } | null;
  is_source_kept: boolean;
  images: ResultImage[] | null;
  kept_keys: string[] | null;
}

/** The chain that ends with a job. @returns undefined if the owner has no such job */
export async function readChain(
  context: JobsContext,
  sql: Sql,
  { keyId, endpoint }: Owner,
  id: string,
): Promise<Chain | undefined> {
  const schema = schemaOf(context);
  const rows = await sql.query<TurnRow>(
    `with recursive chain as (
       select jobs.*, 1 as place from ${schema}.jobs
        where id = $1 and key_id = $2 and endpoint = $3 and expires_at > clock_timestamp()
       union all
       select jobs.*, place + 1 from chain join ${schema}.jobs on jobs.id = chain.edit #>> '{lineage,parent}'
        where jobs.key_id = $2 and jobs.endpoint = $3 and jobs.status = 'completed'
          and jobs.expires_at > clock_timestamp() and place < $4
          and chain.edit #>> '{lineage,isFromOriginal}' is distinct from 'true')
     select id, status, edit ->> 'prompt' as prompt, edit ->> 'prompt2' as prompt2, edit ? 'mask' as has_mask,
            jsonb_array_length(edit -> 'images') as num_images, edit -> 'lineage' as lineage,
            edit #> '{images,0}' as source,
            exists (select from ${schema}.pictures where storage_key = edit #>> '{images,0,key}') as is_source_kept,
            case when place = 1 then ${RESULT_IMAGES} end as images,
            case when place = 1 then array(
              select storage_key from ${schema}.pictures
               where storage_key in (select image ->> 'key' from jsonb_array_elements(${RESULT_IMAGES}) as image)) end as kept_keys
       from chain order by place`,
    [id, keyId, endpoint, MAX_TURNS],
    { isPlannedOnce: true },
  );
  const turns = rows.map(rowToTurn);
  return turns.length === 0 ? undefined : (turns as unknown as Chain);
}

/** Of a result, without what else it holds. */
const RESULT_IMAGES = `
  case jsonb_typeof(result -> 'images')
    when 'array' then jsonb_path_query_array(result, '$.images[*].image')
    else jsonb_path_query_array(result, '$.image') end`;

function rowToTurn(row: TurnRow): Turn {
  const { source } = row;
  return {
    id: row.id,
    status: row.status,
    prompt: row.prompt,
    prompt2: row.prompt2 ?? undefined,
    hasMask: row.has_mask,
    numImages: row.num_images,
    lineage: row.lineage ?? undefined,
    source: source?.key === undefined ? undefined : { ...source, isKept: row.is_source_kept },
    results: (row.images ?? []).map((image) => ({
      image,
      isKept: !("key" in image) || (row.kept_keys ?? []).includes(image.key),
    })),
  };
}

/**
 * The job with a result that is known by this name, and the chain that ends with it.
 * @param name its key in our storage, or the SHA-256 of its bytes in hex
 * @returns undefined if the owner has none; of several the latest
 */
export async function findChain(
  context: JobsContext,
  sql: Sql,
  owner: Owner,
  name: string,
): Promise<{ chain: Chain; place: number } | undefined> {
  const [row] = await sql.query<{ id: string }>(
    `select id from ${schemaOf(context)}.jobs
      where result_names @> array[$1::text] and key_id = $2 and endpoint = $3 and status = 'completed'
        and expires_at > clock_timestamp()
      order by ended_at desc limit 1`,
    [name, owner.keyId, owner.endpoint],
    { isPlannedOnce: true },
  );
  const chain = row && (await readChain(context, sql, owner, row.id));
  if (chain === undefined) return undefined;
  const place = chain[0].results.findIndex(({ image }) => isNamed(image, name));
  return place === -1 ? undefined : { chain, place };
}

const isNamed = (image: ResultImage, name: string): boolean =>
  ("key" in image && image.key === name) || ("sha256" in image && image.sha256 === name);

/** What of a waiting job decides about its lineage. */
interface WaitingRow {
  key_id: string;
  endpoint: string;
  prompt: string;
  prompt2: string | null;
}

/**
 * The lineage of a waiting job whose picture had to be downloaded.
 * @param where a condition on the jobs table that selects the job
 * @returns undefined if it has one already, or if the picture is no result of its key
 */
export async function lineageOfWaiting(
  context: JobsContext,
  sql: Sql,
  sha256: string,
  where: string,
  values: readonly unknown[],
): Promise<JobLineage | undefined> {
  const [row] = await sql.query<WaitingRow>(
    `select key_id, endpoint, edit ->> 'prompt' as prompt, edit ->> 'prompt2' as prompt2
       from ${schemaOf(context)}.jobs where ${where} and not edit ? 'lineage'`,
    values,
  );
  const owner = row && { keyId: row.key_id, endpoint: row.endpoint };
  const found = owner && (await findChain(context, sql, owner, sha256));
  if (found === undefined) return undefined;
  const original = originalOf(found.chain, { prompt: row!.prompt, prompt2: row!.prompt2 ?? undefined });
  return continuationOf(found.chain, found.place, original);
}
