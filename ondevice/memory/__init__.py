"""What is remembered, found again: the embedder, hybrid search, and what of it enters a prompt."""
