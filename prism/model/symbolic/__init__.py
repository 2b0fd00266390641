"""The symbolic expert: machines that track states exactly, beside the network.

machine.py puts them together; primitives.py has the discrete units' library, dial.py the soft
counters, reflections.py the orthogonal registers, suffix.py the lookup; answer.py mixes in what
they answer by themselves.
"""

from prism.model.symbolic.answer import mixed_answer
from prism.model.symbolic.machine import SymbolicMachine, SymbolicRun, SymbolicState

__all__ = ["SymbolicMachine", "SymbolicRun", "SymbolicState", "mixed_answer"]
