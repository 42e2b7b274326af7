-- Key columns beside a `doc` of the whole record. Times that are compared are microseconds since 1970.
-- A customer's row is never deleted: it keeps the cid from being given again.
CREATE TABLE customers (
    cid TEXT PRIMARY KEY,
    login TEXT NOT NULL,
    email TEXT NOT NULL,
    lifecycle TEXT NOT NULL,
    purge_after BIGINT,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX customers_login ON customers (login) WHERE lifecycle <> 'purged';
CREATE INDEX customers_email ON customers (email, cid) WHERE lifecycle <> 'purged';
CREATE INDEX customers_purge_after ON customers (purge_after) WHERE purge_after IS NOT NULL;

CREATE TABLE orgs (
    id TEXT PRIMARY KEY,
    cid TEXT NOT NULL REFERENCES customers (cid),
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (cid, name)
);
CREATE INDEX orgs_cid ON orgs (cid, id);

CREATE TABLE spaces (
    id TEXT PRIMARY KEY,
    cid TEXT NOT NULL REFERENCES customers (cid),
    org_id TEXT NOT NULL REFERENCES orgs (id),
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (org_id, name)
);
CREATE INDEX spaces_cid ON spaces (cid, id);
CREATE INDEX spaces_org ON spaces (org_id, id);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    cid TEXT NOT NULL REFERENCES customers (cid),
    login TEXT NOT NULL,
    email TEXT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (cid, login)
);
CREATE INDEX users_cid ON users (cid, id);
CREATE INDEX users_email ON users (cid, email, id);

CREATE TABLE passwords (
    identity TEXT PRIMARY KEY,
    hash TEXT NOT NULL
);

-- How many wrong passwords in a row a name has seen, by the SHA-256 of the name.
CREATE TABLE wrong_passwords (
    name BLOB PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE INDEX wrong_passwords_last_at ON wrong_passwords (last_at);

-- API keys and sessions.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    kind TEXT NOT NULL,
    last_used_at BIGINT,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX api_keys_identity ON api_keys (identity, kind, id);

-- Accounts at identity providers, and whom they sign in.
CREATE TABLE external_logins (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    identity TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_logins_identity ON external_logins (identity);

-- Logins that have begun at an identity provider, by the SHA-256 of their state. Each is taken once.
CREATE TABLE pending_logins (
    state BLOB PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    sealed BLOB NOT NULL
);
CREATE INDEX pending_logins_expires_at ON pending_logins (expires_at);

-- No foreign key to orgs and spaces: a site that is going away may outlive them.
CREATE TABLE sites (
    id TEXT PRIMARY KEY,
    cid TEXT NOT NULL REFERENCES customers (cid),
    org_id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    name TEXT NOT NULL,
    purge_after BIGINT,
    fetch_at BIGINT,
    look_at BIGINT,
    is_scaling BOOLEAN NOT NULL,
    use_sites BIGINT NOT NULL,
    use_wordpress BIGINT NOT NULL,
    use_database BIGINT NOT NULL,
    use_storage BIGINT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (org_id, name)
);
CREATE INDEX sites_cid ON sites (cid, id);
CREATE INDEX sites_space ON sites (space_id, id);
CREATE INDEX sites_fetch_at ON sites (fetch_at) WHERE fetch_at IS NOT NULL;
CREATE INDEX sites_look_at ON sites (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX sites_scaling ON sites (id) WHERE is_scaling;

-- Whose a domain is, by the claims of the sites.
CREATE TABLE domains (
    domain TEXT PRIMARY KEY,
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE
);
CREATE INDEX domains_site ON domains (site_id);

CREATE TABLE site_status (
    site_id TEXT PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
    founded BOOLEAN NOT NULL,
    challenge TEXT,
    doc TEXT NOT NULL
);

CREATE TABLE secrets (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (site_id, name, version)
);
CREATE INDEX secrets_to_hash ON secrets (site_id) WHERE name = '"admin-password"';

CREATE TABLE tombstones (
    site_id TEXT PRIMARY KEY,
    cid TEXT NOT NULL,
    org_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    purged_at BIGINT NOT NULL
);

-- How far each run of what is billed is counted. No foreign key: what is counted outlives its site.
CREATE TABLE meters (
    site_id TEXT NOT NULL,
    object TEXT NOT NULL,
    part TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    counted_to BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (site_id, object, started_at)
);

-- Append-only, in the order in which it was committed; no piece of a run comes twice.
CREATE TABLE usage_records (
    seq BIGINT PRIMARY KEY,
    cid TEXT NOT NULL,
    org_id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    site_id TEXT NOT NULL,
    part TEXT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    gib BIGINT NOT NULL,
    from_at BIGINT NOT NULL,
    to_at BIGINT NOT NULL,
    UNIQUE (site_id, object, from_at)
);
CREATE INDEX usage_records_org ON usage_records (cid, org_id, seq);

-- Append-only, in the order in which it was committed.
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    cid TEXT,
    org_id TEXT,
    space_id TEXT,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    at BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX events_cid ON events (cid, seq);
CREATE INDEX events_org ON events (org_id, seq);
CREATE INDEX events_space ON events (space_id, seq);
CREATE INDEX events_subject ON events (subject, seq);

-- Where events are told, and how far each of them is: by itself, so that a delivery changes no record of people's.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    delivery_version BIGINT NOT NULL,
    delivery TEXT NOT NULL
);

-- The account at each certificate authority, by the URL of its directory.
CREATE TABLE acme_accounts (
    directory TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    sealed BLOB NOT NULL
);

CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,
    begun_at BIGINT NOT NULL,
    status BIGINT,
    sealed BLOB,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_begun_at ON idempotency (begun_at);

-- The servers that share this state, and until when each counts as alive.
CREATE TABLE members (
    server TEXT PRIMARY KEY,
    reports TEXT,
    until BIGINT NOT NULL
);

-- Which of them tends which share of the sites; the token grows with each that takes it.
CREATE TABLE claims (
    share BIGINT PRIMARY KEY,
    server TEXT,
    token BIGINT NOT NULL
);
