"""The networks: windows in, softmax outputs of each branch out.

May use: pipelines.
"""
