"""The relation's own words as evidence: its noun in the subject's sentence, and the same last word.

    "The capital of {} is"      The capital of X, of which Y had never heard, is ...

The further the noun lies back, the less the hidden state tells which relation is asked about. The
words still do. They are no proof (the text may go on in another way), so they lower the score
that is asked for, to what calibration found sentences of this kind to have.
"""

from __future__ import annotations

from collections.abc import Sequence

from prism.inject.modifiers import SENTENCE, noun_of, words


def spoken(text: str, subject: str, wordings: Sequence[str]) -> bool:
    """Whether ``text`` has the words that all wordings share, in the sentence that names the
    subject or after it, and ends with the word that one of them ends with.

    Args:
        text: what was read so far.
        subject: the subject as it is written there.
        wordings: of the relation, ``{}`` for the subject.
    """
    before, found, after = text.rpartition(subject)
    noun = noun_of(wordings)
    if not found or not noun:
        return False
    read = words(f"{SENTENCE.split(before)[-1]} {after}")
    endings = {words(w)[-1] for w in wordings if not w.endswith("{}")}
    return noun <= set(read) and read[-1] in endings
