"""Ranks and sharding: process groups and FSDP2; nothing of the model is known here."""
