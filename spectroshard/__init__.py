"""Songs to spectrogram TFRecords, sharded by song, and a genre model trained on them."""
