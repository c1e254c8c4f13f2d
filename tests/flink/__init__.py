"""A real Flink cluster on this machine, on loopback alone, and the tests that run on it: `make flink`, `make test-flink`."""
