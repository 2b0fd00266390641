"""Benchmark: real_text."""
