"""Facts bound to a frozen SmolLM2 through a HoloTape: the chapter on the measurements of
``python -m prism.eval_facts``, which are made there (:mod:`prism.studies.facts`) and copied here.
"""
