"""Speed and memory of PRISM beside its baselines at equal parameters: training step by length, peak
memory, decoding by context, and the cost of the neural kind in sparse mode. Models take turns, so
that ratios within one run are compared and not seconds of different hours.
"""
