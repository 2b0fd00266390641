"""Benchmark: retrieval."""
