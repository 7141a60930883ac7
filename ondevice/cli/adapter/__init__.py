"""`ondevice adapter`: the LoRA adapters of a profile."""
