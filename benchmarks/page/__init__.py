"""The parts that every page of results is made of, and nothing of a single benchmark.

``command`` (flags, provenance, JSON), ``criterion`` (verdicts), ``markdown`` (tables), ``figure``
(one plot style) and ``subject``: a chapter, and the page that chapters become.
"""
