"""What a statement is relevant for, how much it matters, and whether a request is personal."""
