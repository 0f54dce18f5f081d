-- Several positions of one device time: which of them counts is decided from all of them, whatever the order in which
-- they came, so what decides is kept with each.
alter table vehicle_location_history
  -- Of several reports of one place and time: whether all of them were history, and the largest frame number.
  add column history boolean not null default false,
  add column frame integer check (frame between 1 and 999999),
  -- 1, and one more for each report that changed what was known.
  add column revision integer not null default 1;

-- The sum of the revisions of the positions among which it was chosen: a choice from more knowledge has a larger one.
alter table vehicle_locations add column revision integer not null default 1;
