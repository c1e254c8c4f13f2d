"""A run of a build: its folder, what it stages, and how far it is."""
