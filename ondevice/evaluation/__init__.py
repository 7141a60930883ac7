"""Measuring whether personalization helps: four arms, held-out items, bootstrap, gate, audits."""
