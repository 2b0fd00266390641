"""Benchmark: speed."""
