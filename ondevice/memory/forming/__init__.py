"""Forming: statements about the person are drawn from what they wrote, with their certainty."""
