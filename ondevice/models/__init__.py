"""Base models: the catalogue, the header check, the tokenizer and the chat template."""
