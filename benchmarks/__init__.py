"""Measurements beside peers: scripts, and `make bench` in benchmarks/speed."""
