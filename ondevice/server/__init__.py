"""The assistant over HTTP, for programs and for people."""
