"""PRISM and its baselines on real English through ``prism.run_scale``: a rate search for each, then
one long run at equal parameters and tokens; held-out bits per byte and samples.
"""
