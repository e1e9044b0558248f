-- The role with which load writes the warehouse (WAREHOUSE_URL, WAREHOUSE_SECRET_ARN): it owns schema `pipeline` and
-- the schema of the star, may make temporary tables, and nothing else. It has to own them, since the model grows.
--
--   psql "$ADMIN_URL" -v password=… -f sql/warehouse-loader.sql
--
-- Or NEW_PASSWORD in the environment. Optional: -v role=starling_loader -v schema=public (then say WAREHOUSE_SCHEMA=…
-- too). Run it as the owner of the warehouse's database who may create roles (the master user of a managed server),
-- or as a superuser, in that database. Run again, it does no harm; with another password, that is the password from
-- then on.
--
-- Who owns a schema may drop whatever is in it. Where other people's tables are in schema public, use another one.

\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role starling_loader
\endif
\if :{?schema}
\else
  \set schema public
\endif

\ir login-role.sql
\set loader :role
\ir member-of.sql

grant connect, temporary on database :"DBNAME" to :"role";

select format('create schema %I authorization %I', name, :'role')
from (values ('pipeline'), (:'schema')) as wanted (name)
where not exists (select from pg_namespace where nspname = name) \gexec

select format('alter schema %I owner to %I', nspname, :'role')
from pg_namespace
where nspname in ('pipeline', :'schema') and nspowner <> (select oid from pg_roles where rolname = :'role')
  and pg_has_role(nspowner, 'usage') \gexec

-- On PostgreSQL 13 and 14, public belongs to the server's superuser, whoever owns the database; all may create in it.
select format('do %L', format('begin raise %s %L; end', severity, format(
  'schema %I belongs to %I, who alone can give it to %I%s', nspname, pg_get_userbyid(nspowner), :'role', advice
)))
from pg_namespace,
  lateral (
    select has_schema_privilege(:'role', oid, 'create') and has_schema_privilege(:'role', oid, 'usage')
  ) as may (enough),
  lateral (values (
    case when may.enough then 'warning' else 'exception' end,
    case when may.enough then '; it will do, as long as everybody may create tables in it'
      else ': have that done, or give Starling a schema of its own (-v schema=star, and WAREHOUSE_SCHEMA=star)' end
  )) as told (severity, advice)
where nspname in ('pipeline', :'schema') and nspowner <> (select oid from pg_roles where rolname = :'role') \gexec

-- Of a warehouse that another role has loaded so far.
select format('do %L', format('begin raise warning %L; end', format(
  '%I.%I belongs to %I; Starling needs: alter table %1$I.%2$I owner to %4$I',
  nspname, relname, pg_get_userbyid(relowner), :'role'
)))
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'p', 'v') and relowner <> (select oid from pg_roles where rolname = :'role')
  and (nspname = 'pipeline' or nspname = :'schema' and relname ~ '^(fact|current|history|dim)_')
order by nspname, relname \gexec

commit;
\echo role :role loads schema :schema of database :DBNAME
