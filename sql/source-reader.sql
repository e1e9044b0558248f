-- The role with which ingest reads the source (SOURCE_URL, SOURCE_SECRET_ARN): all tables of one schema, those that are
-- made later too, and nothing else.
--
--   read -rs PW && NEW_PASSWORD="$PW" psql "$ADMIN_URL" -f sql/source-reader.sql
--
-- Or -v password=… (see login-role.sql). Optional: -v role=starling_reader -v schema=public. Run it as the owner of the
-- tables, or as a superuser, in the source's database. Run again, it does no harm; with another password, that is the
-- password from then on.
--
-- Row-level security: Starling fails rather than read a part of a table, and a policy that shows every row is still a
-- policy. Where a table has policies that apply to the reader, it takes a superuser (since PostgreSQL 16, a role that
-- makes roles and has the attribute itself will do):
--
--   alter role starling_reader bypassrls;

\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role starling_reader
\endif
\if :{?schema}
\else
  \set schema public
\endif

\ir login-role.sql

-- A default, not a wall: what keeps the reader from writing is that it was granted nothing to write to.
alter role :"role" set default_transaction_read_only = on;

-- Where all may use the schema, who does not own it need not (and cannot) say so.
select format('grant usage on schema %I to %I', nspname, :'role') from pg_namespace
where nspname = :'schema'
  and (pg_has_role(nspowner, 'usage') or not has_schema_privilege(:'role', oid, 'usage')) \gexec

grant select on all tables in schema :"schema" to :"role";

-- Tables to come, of everybody who has tables there and of the database's owner. Only who may act for an owner can say
-- so.
select case
  when pg_has_role(owner.oid, 'usage') then format(
    'alter default privileges for role %I in schema %I grant select on tables to %I',
    owner.rolname, :'schema', :'role'
  )
  else format('do %L', format('begin raise warning ''%%'', %L; end', format(
    'tables that %I makes later cannot be read until %1$I runs: '
    'alter default privileges in schema %I grant select on tables to %I',
    owner.rolname, :'schema', :'role'
  )))
end
from pg_roles owner
where owner.oid in (
  select relowner from pg_class
  where relnamespace = (select oid from pg_namespace where nspname = :'schema') and relkind in ('r', 'p', 'v', 'm', 'f')
    and not exists (
      select from pg_depend where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e'
    )
  union
  select datdba from pg_database where datname = current_database()
) \gexec

-- PostgreSQL 13 and 14 let everybody create tables in schema public. That is not this script's to change.
select format('do %L', format('begin raise warning ''%%'', %L; end', format(
  'everybody may create tables in schema %I; if nobody needs that: revoke create on schema %1$I from public', :'schema'
)))
where has_schema_privilege(:'role', :'schema', 'create') \gexec

commit;
\echo role :role reads all tables in schema :schema of database :DBNAME
