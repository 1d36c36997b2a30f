"""The store: the journal of every transition in SQLite, what reads it, and what audits it."""
