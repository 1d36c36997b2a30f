-- Version 2: what the vault and the blobs hold is sealed, and a database that is restored gets a lineage of its own.
-- What version 1 held there was not sealed: it goes, and the nodes under way learn it anew.

DELETE FROM blob_refs;
DELETE FROM blobs;
DELETE FROM vault;

-- Which lineage rows have, from which position of each chain on; the last is the current one, as meta has it.
CREATE TABLE lineages (
  lineage        TEXT    PRIMARY KEY CHECK (length(lineage) = 16),
  position       INTEGER NOT NULL,      -- of the first history row that has it, or would have it
  fleet_position INTEGER NOT NULL,      -- likewise, of the fleet's journal
  at             INTEGER NOT NULL,
  why            TEXT    NOT NULL CHECK (why = 'made' OR why = 'restored')
) WITHOUT ROWID;

INSERT INTO lineages SELECT lineage, 1, 1, created, 'made' FROM meta;

-- The keys that sealed what is held, by their ids: one that is not at hand any more is noticed at the start.
CREATE TABLE vault_keys (
  key   TEXT    PRIMARY KEY CHECK (length(key) = 16),
  since INTEGER NOT NULL
) WITHOUT ROWID;
