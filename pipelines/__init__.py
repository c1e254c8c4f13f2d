"""Songs to a dataset of spectrogram TFRecords, sharded by song."""
