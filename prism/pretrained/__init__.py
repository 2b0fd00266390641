"""Pretrained language models that install from a package index, in plain PyTorch."""
