"""`ondevice import` and `ondevice source`."""
