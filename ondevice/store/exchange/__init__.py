"""Profiles as files: archives, backups, and everything in clear for the person."""
