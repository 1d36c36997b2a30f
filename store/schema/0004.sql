-- Version 4: the documents of the tables that decided, as they were in force: rows of history name a version of it.

-- One version may have several documents, whose sentences or picture differ. since is when this database got it.
CREATE TABLE tables (
  version  INTEGER NOT NULL,
  digest   TEXT    NOT NULL CHECK (length(digest) = 64),           -- SHA-256 of the document, which checkpoints name
  document BLOB    NOT NULL,
  since    INTEGER NOT NULL,
  origin   TEXT    NOT NULL CHECK (origin = 'decided' OR origin = 'released'),  -- released: given at a migration
  PRIMARY KEY (version, digest)
);

CREATE TRIGGER tables_changes BEFORE UPDATE ON tables
BEGIN
  SELECT RAISE(ABORT, 'the document of a table never changes');
END;

CREATE TRIGGER tables_deletions BEFORE DELETE ON tables
BEGIN
  SELECT RAISE(ABORT, 'the document of a table is never deleted');
END;
