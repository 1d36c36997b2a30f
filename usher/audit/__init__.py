"""The audit: checkpoints, who holds them, and the commands that an auditor and an incident need."""
