"""A fictional person, and a show of the whole loop on a profile that is thrown away."""
