-- Sites that were made before anybody asked for one. That of a taken one stays until its site is purged: it says since
-- when its site is a customer's. That of one that is gone stays, as a tombstone does.
CREATE TABLE spares (
    id TEXT PRIMARY KEY,
    database_nodes BIGINT NOT NULL,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    password BLOB
);
CREATE INDEX spares_kept ON spares (id) WHERE state = 'kept';
