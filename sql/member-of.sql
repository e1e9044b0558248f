-- Lets who runs the script act for :loader, which it takes to give it something or to grant what it owns.
-- Superusers may do so anyway. Others (the master user of a managed server is one) become members of the role: what the
-- loader makes can then still be administered. Included by the scripts beside it.

select :SERVER_VERSION_NUM >= 160000 as has_set_option \gset
\if :has_set_option
  -- Since PostgreSQL 16, who creates a role may administer it, but is no member with all that goes with it.
  select format('grant %I to current_user with inherit true, set true', :'loader')
  where not (pg_has_role(:'loader', 'usage') and pg_has_role(:'loader', 'set')) \gexec
\else
  select format('grant %I to current_user', :'loader') where not pg_has_role(:'loader', 'usage') \gexec
\endif
