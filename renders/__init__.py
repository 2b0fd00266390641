"""Pictures made from code and from measurements, for README.md and the documents.

python -m renders.architecture   how the model is built
python -m renders.figures        what it reaches, from benchmarks/results/compare.json
"""
