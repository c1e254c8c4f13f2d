"""A dataset of spectrograms to a genre model and its predictions."""
