-- The role with which load writes the warehouse (WAREHOUSE_URL, WAREHOUSE_SECRET_ARN): it owns schema `pipeline` and
-- the schema of the star, may make temporary tables, and nothing else. It has to own them, since the model grows.
--
--   read -rs PW && NEW_PASSWORD="$PW" psql "$ADMIN_URL" -f sql/warehouse-loader.sql
--
-- Or -v password=… (see login-role.sql). Optional: -v role=starling_loader -v schema=public (then say
-- WAREHOUSE_SCHEMA=… too). Run it as the owner of the warehouse's database who may create roles (the master user of a
-- managed server), or as a superuser, in that database. Run again, it does no harm; with another password, that is the
-- password from then on.
--
-- Who owns a schema may drop whatever is in it. Where other people's tables are in schema public, use another one.
--
-- Where another role has loaded so far (postgres, to try it), Starling's tables and views become this role's, and the
-- other one does not load here any more. Other people's tables are left alone.

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

-- Of a warehouse that another role has loaded so far. Not to queue for long before everybody who asks it.
\ir star.sql
set local lock_timeout = '15s';
select coalesce(string_agg(line, e'\n'), '') as taken
from (
  select format('took over from %I: %s tables and views', pg_get_userbyid(relowner), count(*))
  from pg_class
  where oid = any (:'star') and relowner <> (select oid from pg_roles where rolname = :'role')
    and pg_has_role(relowner, 'usage')
  group by relowner
) as owners (line) \gset
select format('alter table %s owner to %I', oid::regclass, :'role')
from pg_class
where oid = any (:'star') and relowner <> (select oid from pg_roles where rolname = :'role')
  and pg_has_role(relowner, 'usage') \gexec

-- What this script may not give, or cannot tell from other people's.
select array_agg(pg_class.oid order by nspname, relname) as others,
  count(*) filter (where pg_class.oid = any (:'star')) > 0 as lacks_some,
  count(*) > 0 as may_lack_some
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'p', 'v') and relowner <> (select oid from pg_roles where rolname = :'role')
  and (nspname = 'pipeline' or nspname = :'schema' and relname ~ '^(fact|current|history|dim)_') \gset
\if :may_lack_some
  select format('do %L', format('begin raise warning ''%%'', %L; end', format(
    '%s belongs to %I; %s: alter table %1$s owner to %4$I', oid::regclass, pg_get_userbyid(relowner),
    case when oid = any (:'star') then 'Starling needs' else 'if it is Starling''s' end, :'role'
  )))
  from unnest(:'others'::oid[]) with ordinality as other (oid, place)
  join pg_class using (oid)
  order by place \gexec
\endif

commit;
select :'taken' where :'taken' <> '';
\if :lacks_some
  select format('do %L', format('begin raise exception ''%%'', %L; end', format(
    '%I does not load schema %I yet: have their owners, or a superuser, run the statements above', :'role', :'schema'
  ))) \gexec
\elif :may_lack_some
  \echo role :role loads schema :schema of database :DBNAME, once it owns those above that Starling needs
\else
  \echo role :role loads schema :schema of database :DBNAME
\endif
