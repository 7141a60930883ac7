"""The assistant: a base model, a profile, its recall and its adapters as one thing to talk to."""

from ondevice.chat.assistant import Assistant

__all__ = ["Assistant"]
