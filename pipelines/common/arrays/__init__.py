"""Numeric arrays: compiled loops, arrays that spill to disk, float16."""
