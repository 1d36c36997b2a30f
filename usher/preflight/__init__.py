"""Preflight: would it work? Everything that `usher run` needs of this machine, its broker and its nodes, tried once."""
