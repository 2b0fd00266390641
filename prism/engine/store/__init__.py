"""Checkpoints on disk: complete-or-absent folders, sharded tensors, random states, export."""
