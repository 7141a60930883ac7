"""`ondevice chat` and `ondevice ask`."""
