"""Training of PRISM and its baselines by one protocol, and what may be concluded from it.

plan -> jobs -> runs -> selection -> summary -> table and report; README.md beside this file says
which module does what.
"""
