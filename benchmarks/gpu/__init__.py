"""Training speed, MFU and peak memory on the GPU of this machine; makes no page."""
