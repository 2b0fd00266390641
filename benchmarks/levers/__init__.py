"""Benchmark: levers."""
