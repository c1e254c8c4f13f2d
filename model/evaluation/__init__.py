"""How good a model is on songs that it never saw: metrics, cross-validation, the leak gap, robustness.

May use: pipelines, networks, config, inference, training.
"""
