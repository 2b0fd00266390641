"""Benchmark: facts."""
