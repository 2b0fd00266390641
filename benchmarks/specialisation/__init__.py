"""Specialisation of the kinds of expert: PRISM is trained on a task, then one kind at a time loses
its weight where the router prefers it and where it does not, and the loss gained is compared.
"""
