"""Measurements of PRISM beside its baselines, and the page of results made from them.

python -m benchmarks.speed            how fast, how much memory: results/speed.json
python -m benchmarks.specialisation   what each kind is for: results/specialisation.json
python -m benchmarks.results          RESULTS.md from the JSON in results/, nothing by hand
"""
