"""The web page and the management API behind it."""
