"""`ondevice memory`: what is remembered."""
