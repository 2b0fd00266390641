"""Training dynamics at the resolution of single roundings: recorded exactly, and read."""
