"""Does a split leak? Of a dataset, or of anyone's files.

May use: common, audio, features, config, dataset, corpus, copies, split.
"""
