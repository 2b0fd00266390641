"""Ranks and sharding: process groups, and FSDP2 around a model.

One process is a mesh of one. Nothing of the model is known here but its module lists.
"""

from prism.engine.parallel.fsdp import local_shards, parameters_on_meta, sharded
from prism.engine.parallel.world import World

__all__ = ["World", "local_shards", "parameters_on_meta", "sharded"]
