"""Wordings of everyday relations, and how far a clause says what one of them says."""

from prism.inject.wordings.opinion import SecondOpinion

__all__ = ["SecondOpinion"]
