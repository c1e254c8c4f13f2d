"""Prediction of whole corpora: workers write partitioned Parquet, and only counts come back."""
