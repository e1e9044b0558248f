-- A role for people and tools that ask: they read the star (facts, current tables, history views, dimensions), the
-- ledger and the quarantine, those tables that a later model adds too, and write nothing. See docs/QUERIES.md.
--
--   read -rs PW && NEW_PASSWORD="$PW" psql "$ADMIN_URL" -f sql/warehouse-analyst.sql
--
-- Or -v password=… (see login-role.sql). Optional: -v role=starling_analyst -v loader=starling_loader -v schema=public.
-- Run it as who ran warehouse-loader.sql, after that, before or after the first load. Run again, it does no harm;
-- with another password, that is the password from then on.
--
-- The quarantine holds rows whole, with all that the source has in them: names, account numbers. For who is not to see
-- that, after the first load:
--
--   revoke select on pipeline.quarantine from starling_analyst;

\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role starling_analyst
\endif
\if :{?loader}
\else
  \set loader starling_loader
\endif
\if :{?schema}
\else
  \set schema public
\endif

\ir login-role.sql

select set_config('starling.loader', :'loader', true) as ignored \gset
do $$
begin
  if not exists (select from pg_roles where rolname = current_setting('starling.loader')) then
    raise exception 'there is no role %: run warehouse-loader.sql first, or name yours by -v loader=…',
      current_setting('starling.loader');
  end if;
end $$;

-- What is not the loader's is granted to nobody below.
do $$
declare
  owner text := (
    select pg_get_userbyid(relowner) from pg_class
    where relname = 'ledger' and relnamespace = to_regnamespace('pipeline')
  );
  loader text := current_setting('starling.loader');
begin
  if owner <> loader then
    raise exception 'this warehouse was loaded as %, not as %: '
      'run warehouse-loader.sql first, which gives it to %, or say -v loader=%', owner, loader, loader, owner;
  end if;
end $$;

\ir member-of.sql

-- Times in the warehouse are UTC; so are they shown then, unless the client says otherwise.
alter role :"role" set timezone = 'UTC';
alter role :"role" set default_transaction_read_only = on;

-- Load would make them at its first start; what is to be granted in them has to be said before.
select format('create schema %I authorization %I', name, :'loader')
from (values ('pipeline'), (:'schema')) as wanted (name)
where not exists (select from pg_namespace where nspname = name) \gexec

-- Where all may use the schema, who does not own it need not (and cannot) say so.
select format('grant usage on schema %I to %I', nspname, :'role') from pg_namespace
where nspname in ('pipeline', :'schema')
  and (pg_has_role(nspowner, 'usage') or not has_schema_privilege(:'role', oid, 'usage')) \gexec

-- Only what is the loader's: there may be other people's tables in the schema.
select format('grant select on %I.%I to %I', nspname, relname, :'role')
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'p', 'v') and relowner = (select oid from pg_roles where rolname = :'loader')
  and (nspname = :'schema' or nspname = 'pipeline' and relname in ('ledger', 'quarantine'))
order by nspname, relname \gexec

alter default privileges for role :"loader" in schema :"schema" grant select on tables to :"role";

-- Before the first load only: what it makes in pipeline is the ledger and the quarantine.
select to_regclass('pipeline.ledger') is null as is_before \gset
\if :is_before
  alter default privileges for role :"loader" in schema pipeline grant select on tables to :"role";
\else
  alter default privileges for role :"loader" in schema pipeline revoke select on tables from :"role";
\endif

-- PostgreSQL 13 and 14 let everybody create tables in schema public.
select format('do %L', format('begin raise warning ''%%'', %L; end', format(
  'everybody may create tables in schema %I; if nobody needs that: revoke create on schema %1$I from public', :'schema'
)))
where has_schema_privilege(:'role', :'schema', 'create') \gexec

\ir star.sql
select coalesce(string_agg(oid::regclass::text, ', ' order by oid::regclass::text), '') as hidden,
  count(*) > 0 as hides_some
from pg_class
where oid = any (:'star') and not has_table_privilege(:'role', oid, 'select') \gset

commit;
\set what 'schema ' :schema ', pipeline.ledger and pipeline.quarantine of database ' :DBNAME
\if :is_before
  \echo role :role will read :what, once :loader has loaded them
\elif :hides_some
  select format('do %L', format('begin raise exception ''%%'', %L; end', format(
    '%I cannot read %s, which %I does not own: run warehouse-loader.sql, then this again', :'role', :'hidden', :'loader'
  ))) \gexec
\else
  \echo role :role reads :what
\endif
