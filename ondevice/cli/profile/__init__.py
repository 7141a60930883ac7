"""`ondevice profile`: who opens it, where it goes, how long it keeps what."""
