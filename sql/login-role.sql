-- Makes the login role :role, or gives it another password. Not to be run by itself: the scripts beside it include it,
-- in the transaction that it begins and they commit.
--
-- A password on the command line (-v password=…) can be seen by other users of the machine while psql runs, one in the
-- environment cannot; typed into a command, either stays in the shell's history. It is nowhere like this:
--
--   read -rs PW && NEW_PASSWORD="$PW" psql "$URL" -f …
--
-- psql does not show it (below), and a superuser's session keeps it out of the server's log. Others cannot do that:
-- where the server logs statements (log_statement = ddl), run the script, and then `\password <role>` in psql, which
-- sends no more than a hash.

\set ECHO none
\set SINGLESTEP off
\set SHOW_CONTEXT never
\set QUIET on
\pset tuples_only on
\pset format unaligned

\if :{?password}
\else
  \set password `printf '%s' "$NEW_PASSWORD"`
\endif

begin;

-- Nothing that somebody may have put into a schema of this database is to be called by mistake.
set local search_path = pg_catalog, pg_temp;
set local client_min_messages = warning;

select rolsuper as by_superuser from pg_roles where rolname = current_user \gset
\if :by_superuser
  set local log_statement = 'none';
  set local log_min_error_statement = 'panic';
  set local log_min_duration_statement = -1;
\endif

-- A slip in `-v role=…` is not to take an administrator's rights away, or to give his a new password.
select
  case
    when rolname in (current_user, session_user) then format('%I is who runs this script: choose another role', :'role')
    when rolsuper or rolcreaterole or rolcreatedb or rolreplication
      then format('%I may administer the server: choose another role', :'role')
    when rolname is null and :'password' = ''
      then format(
        '%I is to be made: give it a password (NEW_PASSWORD=… in the environment, or -v password=…)', :'role'
      )
    else ''
  end as refusal,
  rolname is null as is_new,
  :'password' <> '' as has_password
from (values (0)) as always
left join pg_roles on rolname = :'role' \gset

select set_config('starling.refusal', :'refusal', true) as ignored \gset
do $$
begin
  if current_setting('starling.refusal') <> '' then
    raise exception '%', current_setting('starling.refusal');
  end if;
end $$;

-- In terse errors there is no line of the statement.
\set VERBOSITY terse
\if :is_new
  create role :"role" login password :'password';
\elif :has_password
  alter role :"role" login password :'password';
\endif
\set VERBOSITY default
\unset password

-- All may connect to a database, unless that was taken from them.
select format('grant connect on database %I to %I', current_database(), :'role')
where not has_database_privilege(:'role', current_database(), 'connect') \gexec
