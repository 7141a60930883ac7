"""Low-rank adapters: the file format, and the encrypted registry of a profile."""
