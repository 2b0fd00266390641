"""Benchmark: holo."""
