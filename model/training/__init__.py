"""A dataset to a bundle: training, checkpoints, the transfer head, out-of-distribution rejection.

May use: pipelines, networks, config, data, inference.
"""
