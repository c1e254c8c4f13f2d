"""Which files stay together, and in which fold: groups, folds, shards, and what earlier builds decided.

May use: common, config, dataset, corpus, copies.
"""
