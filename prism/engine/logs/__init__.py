"""Records of a run: throughput meter, sinks (JSON lines, terminal, TensorBoard, wandb), curves."""
