-- Whose each domain was last. No foreign key: this outlives the site.
CREATE TABLE past_domains (
    domain TEXT PRIMARY KEY,
    cid TEXT NOT NULL,
    until BIGINT NOT NULL
);

-- Every certificate that was issued in the days that an authority's limit counts, whoever has it now.
CREATE TABLE issuances (
    name TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    registered TEXT NOT NULL,
    PRIMARY KEY (name, issued_at)
);
CREATE INDEX issuances_issued_at ON issuances (issued_at);
