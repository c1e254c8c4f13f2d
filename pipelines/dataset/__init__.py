"""The dataset's format: ledger, records, TFRecord files, splits, and reading it back.

May use: common, config.
"""
