"""Pages and pictures of what a model does.

May use: pipelines, networks, data, inference, evaluation.
"""
