"""Measurements and comparisons with peers: scripts, and `make bench` in benchmarks/speed."""
