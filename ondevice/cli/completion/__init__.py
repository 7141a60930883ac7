"""`ondevice completion`: scripts that let a shell complete commands."""
