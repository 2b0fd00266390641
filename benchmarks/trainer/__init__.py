"""Benchmark: trainer."""
