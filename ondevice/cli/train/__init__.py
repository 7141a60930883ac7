"""`ondevice train`, `teach` and `score`: adapters from files."""
