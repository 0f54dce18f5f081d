-- E-way bills are followed like the rest: see 0003-changes.sql.
alter table eway_bills replica identity full;
