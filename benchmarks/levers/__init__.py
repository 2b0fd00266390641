"""Training methods beside tuned baselines: growth, token selection, curriculum, modular phases.

Every arm of a method has the learning rate that is best for it on seeds of their own, is judged
after that rate has decayed to zero, and reads the same batches as the other arms of its seed. Cost
to the baseline's final loss, and loss at equal budget, are compared pair by pair.
"""
