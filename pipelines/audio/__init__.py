"""An audio file to mono samples: decoding, resampling, time stretching, and what is good enough to use.

May use: common.
"""
