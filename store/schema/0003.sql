-- Version 3: checkpoints, which an audit key signs, of where both chains stand; and what a signed floor was signed over.

-- Numbers are dense, each names the one before it by its digest. document is the very text that was signed.
CREATE TABLE checkpoints (
  number         INTEGER PRIMARY KEY,
  at             INTEGER NOT NULL,
  position       INTEGER NOT NULL,      -- the last history row that it covers, 0 where there was none
  fleet_position INTEGER NOT NULL,      -- likewise, of the fleet's journal
  key            TEXT    NOT NULL CHECK (length(key) = 64),        -- the public key that signed it
  document       BLOB    NOT NULL,
  signature      BLOB    NOT NULL CHECK (length(signature) = 64),
  successor      TEXT    CHECK (length(successor) = 64),           -- the public key that takes over, which signed it too
  countersigned  BLOB    CHECK (length(countersigned) = 64),
  CHECK ((successor IS NULL) = (countersigned IS NULL))
);

CREATE TRIGGER checkpoints_changes BEFORE UPDATE ON checkpoints
BEGIN
  SELECT RAISE(ABORT, 'a checkpoint never changes');
END;

CREATE TRIGGER checkpoints_deletions BEFORE DELETE ON checkpoints
BEGIN
  SELECT RAISE(ABORT, 'a checkpoint is never deleted');
END;

ALTER TABLE floor ADD COLUMN document BLOB;
