"""The encrypted store of what a person told the program, and what was learned from it."""
