"""The training loop: trainer, one global step, optimizers, schedules, guards, validation."""
