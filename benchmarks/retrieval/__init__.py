"""PRISM with ``holo_mode``: a small model learns to query a HoloTape with facts that change every
step, is frozen and tested on facts of a split that training never saw, on several seeds.
"""
