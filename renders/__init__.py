"""Pictures made from code and from measurements, for README.md and the documents.

python -m renders.architecture   how the model is built
python -m renders.figures        what it reaches, from benchmarks/results/compare.json
python -m renders.map            packages in the order of their imports, and the flow of data
python -m renders.film           the explainer film, from runs that it makes
"""
