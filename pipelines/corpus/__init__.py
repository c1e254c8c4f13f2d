"""Which audio files there are, and what is known of them: genre, song, artist.

May use: common, audio, config, dataset.
"""
