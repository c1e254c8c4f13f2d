"""The build: a corpus to a dataset, as Beam pipelines."""
