"""`ondevice learn` and `ondevice evaluate`: adapters from the profile."""
