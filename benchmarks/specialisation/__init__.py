"""Benchmark: specialisation."""
