"""Costs of a run before it starts: parameters, FLOPs, memory, and the table of --dry-run."""
