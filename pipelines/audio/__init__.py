"""An audio file to mono samples: decoding, resampling, time stretching."""
