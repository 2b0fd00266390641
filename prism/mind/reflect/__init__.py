"""Reflection: questions to a knowledge base, read in several ways, answered over several facts."""

from prism.mind.reflect.graph import DictMemory, Memory, TapeMemory
from prism.mind.reflect.reflector import Reflector
from prism.mind.reflect.trace import Answer, Hop

__all__ = ["Answer", "DictMemory", "Hop", "Memory", "Reflector", "TapeMemory"]
