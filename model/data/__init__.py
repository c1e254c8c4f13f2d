"""Shards to batches: streaming windows of songs, and augmenting them."""
