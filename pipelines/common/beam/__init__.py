"""Running Beam pipelines: which runner, and work that can be resumed."""
