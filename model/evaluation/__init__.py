"""What a model is worth on songs that it never saw."""
