-- Sets :star to the oids of what is certainly Starling's in this warehouse: the ledger, the quarantine, and those
-- tables and views of :schema that load has written to. Included by the scripts beside it.
--
-- Names alone would not do: somebody else may have a table dim_customer beside them.

select set_config('starling.schema', :'schema', true) as ignored \gset
-- The ledger's comment says where the star is. Somebody's view of that name could do anything when it is read.
select
  coalesce(split_part(comment, prefix, 2) = :'schema', false) as is_claimed,
  coalesce(
    relkind = 'r' and has_table_privilege(ledger.oid, 'select') and has_schema_privilege(relnamespace, 'usage'), false
  ) as is_readable,
  coalesce(split_part(comment, prefix, 2), '') as claimed
from (values ('Starling: which batches the star holds that is in schema ')) as known (prefix)
left join pg_class ledger on relname = 'ledger' and relnamespace = to_regnamespace('pipeline')
left join lateral obj_description(ledger.oid, 'pg_class') as comment on starts_with(comment, prefix) \gset

select set_config('starling.claimed', :'claimed', true) as ignored \gset
do $$
begin
  if current_setting('starling.claimed') not in ('', current_setting('starling.schema')) then
    raise exception 'this warehouse has its star in schema %: say so (-v schema=…)',
      current_setting('starling.claimed');
  end if;
end $$;

\set star {}
\set written {}
\if :is_claimed
  \if :is_readable
    select coalesce(array_agg(distinct name), '{}') as written
    from pipeline.ledger cross join jsonb_object_keys(counts) as name \gset
  \endif
  select coalesce(array_agg(oid), '{}') as star from pg_class
  where relkind in ('r', 'p', 'v') and (
    relnamespace = to_regnamespace('pipeline') and relname in ('ledger', 'quarantine')
    or relnamespace = (select oid from pg_namespace where nspname = :'schema')
      and (relname = 'dim_date' or regexp_replace(relname, '^(current|history)_', 'fact_') = any (:'written'))
  ) \gset
\endif
