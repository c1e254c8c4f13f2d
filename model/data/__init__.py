"""Shards to batches: streaming windows of songs, and augmenting them.

May use: pipelines, networks, config.
"""
