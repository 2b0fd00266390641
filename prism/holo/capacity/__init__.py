"""Capacity laws in closed form: the matched filter's accuracy, joint decoding's limit by state
evolution, and the plan of an accumulator for a given number of facts."""

from prism.holo.capacity.evolution import decodable, joint_accuracy, safe_facts
from prism.holo.capacity.planning import TapePlan, plan, predicted_accuracy
from prism.holo.capacity.theory import accuracy, banked_accuracy, facts_at

__all__ = [
    "TapePlan",
    "accuracy",
    "banked_accuracy",
    "decodable",
    "facts_at",
    "joint_accuracy",
    "plan",
    "predicted_accuracy",
    "safe_facts",
]
