"""Samples to spectrograms and other time-frequency features.

May use: common.
"""
