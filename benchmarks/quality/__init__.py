"""Quality of PRISM and its baselines on the tasks, from a comparison of ``python -m prism.train
--compare --full`` that ``benchmarks.results --import`` has thinned and taken over.
"""
