"""From what a profile holds to what an adapter is trained on, with the record ids behind it."""
