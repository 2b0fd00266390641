"""Training on one process or many: one loop, one parallel path, checkpoints that resume exactly."""
