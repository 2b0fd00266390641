"""Readings of a log: census, survival, structure on the lattice, motion."""
