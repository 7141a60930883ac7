"""`ondevice model`: base models."""
