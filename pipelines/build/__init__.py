"""The build: a corpus to a version of a dataset, as one Beam graph.

May use: common, audio, features, config, dataset, corpus, copies, split.
"""
