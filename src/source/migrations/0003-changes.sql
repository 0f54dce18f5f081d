-- What a change feed needs so that writes of others reach the caches: docs/change-feed.md.

-- With `wal_level = logical` a change carries the row as it was, so that it can be told which vehicle a deleted trip was
-- of, and whether a position was moved forward or corrected. Below that level nothing more is logged.
alter table vehicles replica identity full;
alter table vehicle_statuses replica identity full;
alter table vehicle_locations replica identity full;
alter table trips replica identity full;
alter table fuel_records replica identity full;
alter table maintenance_records replica identity full;

-- Who reads the changes: one row per city. A city that is to start over raises floors over all that it may have cached
-- before it believes anything, at once and again when every transaction below `start_over_behind` has ended.
create table fleetflow_change_readers (
  reader text primary key,
  transport text not null check (transport in ('logical', 'outbox')),
  start_over boolean not null default true,
  -- The outbox: the last row whose invalidations are out, and what is known of rows that were not recorded.
  read_xid xid8 not null default '0',
  read_id bigint not null default 0,
  lost bigint not null default 0,
  start_over_behind xid8,
  read_at timestamptz not null default now()
);

-- The outbox: changes of rows, in the transactions that make them. Filled while a city reads it, and only then.
-- `id` is the order within a transaction; among transactions it says nothing, for they commit in another order.
create table fleetflow_changes (
  xid xid8 not null default pg_current_xact_id(),
  id bigint not null generated always as identity,
  changed_table text not null,
  -- Null in both: all rows of the table are gone.
  vehicle_before numeric(20, 0),
  vehicle_after numeric(20, 0),
  -- The rows, of the tables in which it matters what they said.
  row_before jsonb,
  row_after jsonb,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (xid, id)
);

-- Sequences, because every transaction sees their value of now, whatever its snapshot: the id up to which the outbox was
-- read by all, and how often changes were not recorded because it was full.
create sequence fleetflow_changes_read minvalue 0 start 0;
create sequence fleetflow_changes_lost minvalue 0 start 0;
-- Called once, so that the first loss is seen.
select nextval('fleetflow_changes_lost');

-- What the triggers of the tables run while changes are recorded; they are told the columns of the row's key and of its
-- vehicle. With the rights of the owner: who may write a table need not know of the outbox.
create function fleetflow_record_change() returns trigger
  language plpgsql security definer set search_path from current as $$
declare
  keeps_rows constant boolean := tg_table_name in ('vehicles', 'vehicle_locations');
begin
  -- Readers that do not come back must not fill the disk. They see that `lost` went on, and start over.
  if (select last_value from fleetflow_changes_id_seq) - (select last_value from fleetflow_changes_read) > 2000000 then
    perform nextval('fleetflow_changes_lost');
    return null;
  end if;
  if tg_op = 'TRUNCATE' then
    insert into fleetflow_changes (changed_table) values (tg_table_name);
  elsif tg_op = 'INSERT' then
    insert into fleetflow_changes (changed_table, vehicle_after, row_after)
      select tg_table_name, (r.data ->> tg_argv[1])::numeric, case when keeps_rows then r.data end
      from (select to_jsonb(n) as data from new_rows n) as r;
  elsif tg_op = 'DELETE' then
    insert into fleetflow_changes (changed_table, vehicle_before, row_before)
      select tg_table_name, (r.data ->> tg_argv[1])::numeric, case when keeps_rows then r.data end
      from (select to_jsonb(o) as data from old_rows o) as r;
  else
    insert into fleetflow_changes (changed_table, vehicle_before, vehicle_after, row_before, row_after)
      select tg_table_name, (b.data ->> tg_argv[1])::numeric, (a.data ->> tg_argv[1])::numeric,
        case when keeps_rows then b.data end, case when keeps_rows then a.data end
      from (select to_jsonb(o) as data from old_rows o) as b
      full join (select to_jsonb(n) as data from new_rows n) as a on b.data ->> tg_argv[0] = a.data ->> tg_argv[0];
  end if;
  -- A statement that changed no row fires its triggers, too.
  if found then
    perform pg_notify('fleetflow_changes', '');
  end if;
  return null;
end
$$;
