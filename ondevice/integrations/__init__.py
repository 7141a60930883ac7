"""ondevice inside other people's tools; each is imported only by the tool that uses it."""
