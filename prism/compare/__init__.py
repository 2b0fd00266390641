"""Train PRISM and its baselines by one protocol, and report what came out.

Read in this order: ``protocol`` (what is run), ``training`` and ``evaluation`` (one run),
``runner`` (many runs), ``selection`` and ``statistics`` (what may be concluded), ``table`` and
``report`` (what is shown).
"""
