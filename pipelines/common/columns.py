"""Which fields of a row are columns of its table; told apart from tables, as Arrow takes a while to load."""

IS_STORED = "is stored"
"""In a field's metadata: whether it is a column; by default it is."""
