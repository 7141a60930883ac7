"""Who may open a profile: keys, passphrases, keyrings and recovery codes."""
