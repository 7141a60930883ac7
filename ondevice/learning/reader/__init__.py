"""Teaching a model to read the notes about its user: data, recipe, training."""
