"""Several networks in one daemon: an engine each, over one journal, and who owns which name."""
