"""The build: a corpus to a dataset, as Beam pipelines.

May use: common, audio, features, config, dataset, corpus, copies, split.
"""
