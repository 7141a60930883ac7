"""Embedders: texts become vectors, whose nearness is that of the meanings; one is chosen."""
