"""Benchmark: quality."""
