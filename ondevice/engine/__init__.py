"""Engines generate and score text: `protocol` is the seam, `llama` and `fake` stand behind it."""
