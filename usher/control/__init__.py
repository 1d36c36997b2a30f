"""The control socket: how operators talk to the daemon that owns a state directory."""
