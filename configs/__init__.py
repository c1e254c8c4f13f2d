"""The configurations that come with the program: one file a corpus."""
