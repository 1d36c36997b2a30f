-- The journal of usher, version 1 (PRAGMA user_version). Times are milliseconds since 1970.
-- application_id is "ushr". Nothing here is changed later: a new version is a new file.
-- What is evaluated at each write has OR, not IN: for a list SQLite makes a table, anew at each statement.

PRAGMA application_id = 0x75736872;

-- One row. lineage is random and made with the database; epoch is raised at each start and each election won.
CREATE TABLE meta (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  lineage  TEXT    NOT NULL CHECK (length(lineage) = 16),
  epoch    INTEGER NOT NULL CHECK (epoch >= 0),
  created  INTEGER NOT NULL
);

-- The names of the states, filled from fsm.states whenever the database is opened for writing.
CREATE TABLE states (
  state TEXT PRIMARY KEY,
  fact  TEXT NOT NULL
) WITHOUT ROWID;

-- One row a node: the committed snapshot (body), and of it what is looked for or counted.
CREATE TABLE nodes (
  node       TEXT PRIMARY KEY,
  state      TEXT    NOT NULL REFERENCES states (state),
  generation INTEGER NOT NULL,
  seq        INTEGER NOT NULL CHECK (seq >= 1),
  since      INTEGER NOT NULL,
  due_at     INTEGER,
  due_kind   TEXT,
  due_span   INTEGER,
  doing      TEXT,                      -- the effect of the open step
  reason     TEXT,
  held       INTEGER NOT NULL,
  active     INTEGER NOT NULL,          -- something is under way, due, or it waits for admission
  body       BLOB    NOT NULL
);
CREATE INDEX nodes_by_state  ON nodes (state, since);
CREATE INDEX nodes_by_reason ON nodes (reason) WHERE reason IS NOT NULL;
-- A start loads the active nodes: those of the states that are no ends, by state, and the few ends that were roused.
CREATE INDEX nodes_roused    ON nodes (node) WHERE active = 1
  AND (state = 'unseen' OR state = 'provisioned' OR state = 'retired' OR state = 'gone');

-- The history of all nodes, in the order of their commits. Everything but payload is the envelope: it never changes.
-- hash = SHA-256(previous || JSON array of the columns position .. digest); see store/chain.py.
CREATE TABLE history (
  position      INTEGER PRIMARY KEY,
  lineage       TEXT    NOT NULL,
  epoch         INTEGER NOT NULL,
  node          TEXT    NOT NULL,
  generation    INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  at            INTEGER NOT NULL,
  table_version INTEGER NOT NULL,
  policy        TEXT    NOT NULL,
  event         TEXT    NOT NULL,
  name          TEXT    NOT NULL,       -- of the table's row
  source        TEXT    NOT NULL REFERENCES states (state),
  target        TEXT    NOT NULL REFERENCES states (state),
  digest        TEXT    NOT NULL,       -- SHA-256 of the payload, which stays when the payload goes
  previous      BLOB    NOT NULL,
  hash          BLOB    NOT NULL,
  payload       BLOB,
  UNIQUE (node, seq)
);

-- What an auditor has signed off: history below position may be deleted, the bases hold each node's snapshot there.
CREATE TABLE floor (
  position  INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,
  hash      BLOB    NOT NULL,           -- of the last row below it
  signer    TEXT    NOT NULL CHECK (signer <> ''),
  signature BLOB    NOT NULL CHECK (length(signature) >= 64)
);
CREATE TABLE floor_bases (
  position INTEGER NOT NULL REFERENCES floor (position),
  node     TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  body     BLOB    NOT NULL,
  PRIMARY KEY (position, node)
) WITHOUT ROWID;

CREATE TRIGGER history_changes BEFORE UPDATE ON history
WHEN NOT (
  NEW.payload IS NULL
  AND NEW.position IS OLD.position AND NEW.lineage IS OLD.lineage AND NEW.epoch IS OLD.epoch
  AND NEW.node IS OLD.node AND NEW.generation IS OLD.generation AND NEW.seq IS OLD.seq AND NEW.at IS OLD.at
  AND NEW.table_version IS OLD.table_version AND NEW.policy IS OLD.policy AND NEW.event IS OLD.event
  AND NEW.name IS OLD.name AND NEW.source IS OLD.source AND NEW.target IS OLD.target
  AND NEW.digest IS OLD.digest AND NEW.previous IS OLD.previous AND NEW.hash IS OLD.hash
)
BEGIN
  SELECT RAISE(ABORT, 'history never changes: only a payload may be set to NULL');
END;

CREATE TRIGGER history_deletions BEFORE DELETE ON history
WHEN OLD.position >= coalesce((SELECT max(position) FROM floor), 0)
BEGIN
  SELECT RAISE(ABORT, 'history is only deleted below a signed floor');
END;

-- The journal of effects: what was intended, sent, and how it ended. position is the history row that opened it.
CREATE TABLE effects (
  position   INTEGER PRIMARY KEY,
  node       TEXT    NOT NULL,
  opened     INTEGER NOT NULL,
  epoch      INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  first      INTEGER NOT NULL,          -- the history row that first opened the step
  effect     TEXT    NOT NULL,
  try        INTEGER NOT NULL,
  status     TEXT    NOT NULL CHECK (
    status = 'intended' OR status = 'started' OR status = 'done' OR status = 'failed' OR status = 'abandoned'
  ),
  certainty  TEXT,
  reason     TEXT,
  at         INTEGER NOT NULL,
  entropy    BLOB    NOT NULL,
  since      INTEGER NOT NULL,
  closed_at  INTEGER,
  CHECK ((closed_at IS NULL) = (status = 'intended' OR status = 'started'))
);
-- At most one open effect a node (invariant 3).
CREATE UNIQUE INDEX effects_open ON effects (node) WHERE closed_at IS NULL;

-- Bytes by their digest, once for all nodes that share them, and which generation of which node needs them.
CREATE TABLE blobs (
  digest TEXT PRIMARY KEY,
  data   BLOB NOT NULL
);
CREATE TABLE blob_refs (
  node       TEXT    NOT NULL,
  generation INTEGER NOT NULL,
  digest     TEXT    NOT NULL REFERENCES blobs (digest),
  PRIMARY KEY (node, generation, digest)
) WITHOUT ROWID;
CREATE INDEX blob_refs_by_digest ON blob_refs (digest);

-- Sealed secrets. Outside the chain, deleted when their generation closes.
CREATE TABLE vault (
  node       TEXT    NOT NULL,
  generation INTEGER NOT NULL,
  name       TEXT    NOT NULL,
  data       BLOB    NOT NULL,
  PRIMARY KEY (node, generation, name)
) WITHOUT ROWID;

-- Each policy that a history row names, once.
CREATE TABLE policies (
  hash       TEXT PRIMARY KEY,
  document   BLOB    NOT NULL,
  first_used INTEGER NOT NULL
) WITHOUT ROWID;

-- Whatever concerns the whole fleet (pause, resume, ...), with an envelope and a chain of its own.
CREATE TABLE journal (
  position INTEGER PRIMARY KEY,
  lineage  TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  kind     TEXT    NOT NULL,
  name     TEXT    NOT NULL,            -- who
  reason   TEXT    NOT NULL,
  digest   TEXT    NOT NULL,
  previous BLOB    NOT NULL,
  hash     BLOB    NOT NULL,
  payload  BLOB
);

CREATE TRIGGER journal_changes BEFORE UPDATE ON journal
BEGIN
  SELECT RAISE(ABORT, 'the journal of the fleet never changes');
END;

CREATE TRIGGER journal_deletions BEFORE DELETE ON journal
BEGIN
  SELECT RAISE(ABORT, 'the journal of the fleet is never deleted');
END;
