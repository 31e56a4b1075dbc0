-- What must hold when a round is over: every row is a problem. SCHEMA and QUEUE stand for the schemas' names.
-- $1: the acknowledged jobs, as the clients know them.
-- $2: the webhooks that arrived, one record for each webhook-id.
-- $3: by API key, how many submissions were neither answered nor can be asked for.
-- $4: how many tries a webhook has.
with acknowledged as (
  select * from jsonb_to_recordset($1) as (
    id text, key text, wanted text, is_cancelled boolean, maybe_cancelled boolean,
    retries integer, maybe_retries integer, idempotency_key text, route text, bytes bigint)
), received as (
  select * from jsonb_to_recordset($2) as (message text, job text, tries integer, accepted integer)
), undecided as (
  select * from jsonb_to_recordset($3) as (key text, submissions integer)
), jobs as (
  select jobs.*, api_keys.name as key,
         -- Made by a call that its client had given up long before, when everything else had ended: it waits for the next
         -- start, in its place.
         status = 'queued' and ended_at is null and worker_id is null
           and not exists (select from acknowledged where acknowledged.id = jobs.id)
           and (awaits_images or exists (select from QUEUE.job where job.id = queue_id and state = 'created')) as is_late
    from SCHEMA.jobs join SCHEMA.api_keys on api_keys.id = jobs.key_id
), made as (
  -- The results of each completed job.
  select jobs.id, key_id, one -> 'image' ->> 'key' as key
    from jobs, jsonb_array_elements(coalesce(result -> 'images', jsonb_build_array(result))) as one
   where status = 'completed'
), known as (
  select acknowledged.*, jobs.status, jobs.result, jobs.error, jobs.key as owner, jobs.retries as retried
    from acknowledged left join jobs on jobs.id = acknowledged.id
), deliveries as (
  select webhook_deliveries.*, coalesce(received.tries, 0) as tries, coalesce(received.accepted, 0) as accepted,
         url like '%/healthy' or url like '%/recovers' as is_taken
    from SCHEMA.webhook_deliveries left join received on received.message = message_id
), problems (what, detail) as (

  -- Acknowledged: there, of its key, ended as it has to.
  select 'an acknowledged job has no row', id from known where status is null
  union all select 'a job belongs to another key', id from known where owner <> key
  union all select 'a job ended as ' || status, id || ': ' || coalesce(error, '') from known
    where not (status = 'cancelled' and (is_cancelled or maybe_cancelled))
      and (is_cancelled or status <> lower(wanted))
  union all select 'a retry is not counted', id || ': ' || retried from known
    where retried not between retries and retries + maybe_retries

  -- Every row, acknowledged or not, is whole.
  union all select 'a job has not ended', id || ': ' || status from jobs where status in ('queued', 'running') and not is_late
  union all select 'a job is half written', id || ': ' || status from jobs
    where not is_late and (ended_at is null or lease_until is not null
       or (status = 'completed') <> (result is not null) or (status in ('failed', 'timedOut')) <> (error is not null)
       or (status = 'completed' and started_at is null))
  union all select 'jobs that nobody asked for', jobs.key || ': ' || count(*) from jobs
    where not exists (select from acknowledged where acknowledged.id = jobs.id)
    group by jobs.key
    having count(*) > coalesce((select submissions from undecided where undecided.key = jobs.key), 0)

  -- Nothing is left in the queue.
  union all select 'the queue holds an ended job', id::text || ': ' || state from QUEUE.job
    where name = 'edits' and not exists (select from jobs where queue_id = job.id and is_late)

  -- Charged exactly once, and nothing for what failed or was cancelled.
  union all select 'a completed job is not charged', jobs.id from jobs left join SCHEMA.usage on job_id = jobs.id
    where status = 'completed'
      and (job_id is null or not is_completed or usage.key_id <> jobs.key_id
           or cost <> (result ->> 'cost')::numeric or cost <= 0)
  union all select 'a failed job is charged', jobs.id from jobs join SCHEMA.usage on job_id = jobs.id
    where status <> 'completed' and (is_completed or cost <> 0)
  union all select 'a failed job is not recorded', jobs.id from jobs left join SCHEMA.usage on job_id = jobs.id
    where status in ('failed', 'timedOut') and job_id is null
  union all select 'a charge without a job', job_id from SCHEMA.usage
    where not exists (select from jobs where jobs.id = job_id)
  union all select 'a counter is wrong', name || ': ' || value || ', not ' || wanted from (
    select name, value,
           case name
             when 'completed' then (select count(*) from jobs where status = 'completed')
             when 'failed' then (select count(*) filter (where status in ('failed', 'timedOut')) + coalesce(sum(retries), 0) from jobs)
             when 'retried' then (select coalesce(sum(retries), 0) from jobs)
           end as wanted
      from SCHEMA.counters) as counters where value <> wanted

  -- Results: the file is the one that was made, and counted.
  union all select 'a result has other bytes', id || ': ' || bytes || ', not ' || (result -> 'image' ->> 'bytes')
    from known where status = 'completed' and bytes <> (result -> 'image' ->> 'bytes')::bigint
  union all select 'a job has ' || count(made.key) || ' results, not ' || wanted, id
    from (select *, coalesce((edit ->> 'numImages')::integer, 1) as wanted from jobs where status = 'completed') as jobs
         left join (select id as of, key from made) as made on made.of = jobs.id
    group by jobs.id, wanted having count(distinct made.key) <> wanted
  union all select 'a stored result is not counted', id from made
    where not exists (select from SCHEMA.pictures where storage_key = made.key and pictures.key_id = made.key_id)
  union all select 'a counted result without a job', storage_key from SCHEMA.pictures
    where job_id is null and not exists (select from made where made.key = storage_key)
  union all select 'a source is kept for nobody', storage_key from SCHEMA.pictures left join jobs on jobs.id = job_id
    where job_id is not null
      and (jobs.id is null or status = 'cancelled' or storage_key like 'states/%'
           -- Later edits may go back to the first picture, but to no other.
           or status = 'completed' and storage_key is distinct from edit #>> '{images,0,key}')
      -- Later after a deletion that failed, and after a clock that was ahead.
      and (delete_after <= clock_timestamp() or delete_after > clock_timestamp() + interval '1 hour')
  union all select 'an original is gone', id from jobs
    where status = 'completed' and edit #>> '{images,0,key}' like 'inputs/%'
      and not exists (select from SCHEMA.pictures where storage_key = edit #>> '{images,0,key}' and job_id = jobs.id)
  union all select 'two last pieces of a stream', job_id from SCHEMA.job_chunks
    where chunk ->> 'kind' = 'result' group by job_id having count(*) > 1

  -- An idempotency key stands for the job that was acknowledged under it.
  union all select 'an idempotency key stands for another job', known.id
    from known left join SCHEMA.idempotency_keys as keys
      on keys.idempotency_key = known.idempotency_key and keys.route = known.route
    where known.idempotency_key is not null and keys.job_id is distinct from known.id

  -- Webhooks: one delivery for each end; taken at least once, or given up after all tries.
  union all select 'a job has ' || count(deliveries.id) || ' webhooks, not ' || jobs.retries + 1, jobs.id
    from jobs left join deliveries on job_id = jobs.id where webhook is not null and not is_late
    group by jobs.id, jobs.retries having count(deliveries.id) <> jobs.retries + 1
  union all select 'a webhook is ' || deliveries.status, job_id || ': ' || url from deliveries
    where status not in ('delivered', 'failed')
  union all select 'a webhook counts as delivered, and nobody took it', job_id || ': ' || url from deliveries
    where status = 'delivered' and accepted = 0
  union all select 'a webhook failed although its receiver takes it', job_id || ': ' || coalesce(last_error, '') from deliveries
    where status = 'failed' and is_taken
  union all select 'a webhook was given up early', job_id || ': ' || attempts || ' tries' from deliveries
    where status = 'failed' and attempts < $4
  union all select 'a webhook was tried more often than documented', job_id || ': ' || tries || ' tries' from deliveries
    where tries > $4
  union all select 'a webhook of no delivery arrived', job from received
    where not exists (select from deliveries where message_id = message)
)
select what, detail from problems
