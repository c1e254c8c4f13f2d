"""Numeric arrays: compiled loops, arrays that lie on disk once they are large, float16."""
