"""A trained model in use: the bundle, classification, calibration, prediction.

May use: pipelines, networks, config, data.
"""
