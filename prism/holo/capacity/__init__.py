"""Closed forms for how many facts fit: theory, density evolution, planning."""
