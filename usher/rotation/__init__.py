"""What changes while usher runs: keys, tokens, certificates and passwords, and when they expire."""
