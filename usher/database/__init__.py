"""Keeping the database: the jobs of `usher db`, which a daemon does while it runs, and a command without one."""
