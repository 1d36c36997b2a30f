"""Configuration: what a site has written, read, checked and made into values; the daemon sees nothing else of it."""
