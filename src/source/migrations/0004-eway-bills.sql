-- E-way bills: what a goods vehicle must carry, and until when each is good.

create table eway_bills (
  -- Of the portal: twelve digits.
  id text collate "C" primary key check (id ~ '^[0-9]{12}$'),
  vehicle_id uint64 not null references vehicles,
  made_at timestamptz(3) not null,
  distance_km double precision not null check (distance_km >= 0 and distance_km < 'infinity'),
  -- As the portal says: it may have been extended.
  valid_until timestamptz(3) not null
);

create index eway_bills_newest on eway_bills (vehicle_id, made_at desc, id desc);
