"""Which recordings are copies of each other, by acoustic fingerprint.

May use: common, features, dataset.
"""
