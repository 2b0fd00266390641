"""Measurements of PRISM beside its baselines, and the pages of results made from them.

Each folder measures one subject and writes a JSON file. subjects.py lists the chapters;
``python -m benchmarks.results`` writes the pages. README.md: how a number gets there.
"""
