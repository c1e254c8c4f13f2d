"""A real Flink cluster on this machine, on loopback alone, and tests that run on it."""
