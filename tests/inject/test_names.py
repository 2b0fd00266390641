"""Known names are found as written, capitalised, or with one wrong key press; others are not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.data.tokens import ByteTokenizer
from prism.holo.keys.typos import is_slip
from prism.inject.names import Mention, Names, Transcript

LETTERS = st.text(alphabet="abhjklmnop", min_size=8, max_size=11)


class Words(ByteTokenizer):
    """Whole words of a list are one token, everything else is bytes."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def encode(self, text: str) -> list[int]:
        tokens: list[int] = []
        while text:
            word = next((w for w in self.words if text.startswith(w)), None)
            tokens += [256 + self.words.index(word)] if word else [text.encode()[0]]
            text = text[len(word or text[0]) :]
        return tokens

    def piece(self, token: int) -> bytes:
        return self.words[token - 256].encode() if token >= 256 else bytes([token])


def known(*names: str) -> Names:
    found = Names()
    for name in names:
        found.add(name, name)
    return found


def mentions(names: Names, text: str, tokenizer: ByteTokenizer | None = None) -> list[Mention]:
    transcript = Transcript(names, tokenizer or ByteTokenizer())
    for token in (tokenizer or ByteTokenizer()).encode(text):
        transcript.append(token)
    return transcript.mentions()


def subjects(names: Names, text: str) -> list[str | None]:
    return [m.subject for m in mentions(names, text)]


def test_a_mention_covers_its_tokens():
    (found,) = mentions(known("gold"), "we dug for gold here")
    assert (found.first, found.last, found.text, found.how) == (11, 14, "gold", "name")


def test_the_longest_name_wins():
    names = known("Guinea", "Papua New Guinea", "Guinea-Bissau")
    text = "From Papua New Guinea to Guinea and Guinea-Bissau"
    assert subjects(names, text) == ["Papua New Guinea", "Guinea", "Guinea-Bissau"]


def test_a_name_inside_a_word_is_none():
    assert subjects(known("niger"), "the nigerian coast") == []


@pytest.mark.parametrize("text", ["Gold is heavy", "some gold", "gold's price"])
def test_the_first_letter_may_be_capital_and_a_possessive_may_follow(text):
    assert subjects(known("gold"), text) == ["gold"]


def test_a_capitalised_stranger_is_a_mention_of_nobody():
    assert subjects(known("Kenya"), "the road from Kenya to Uganda") == ["Kenya", None]


def test_a_word_at_the_front_of_a_sentence_is_no_stranger():
    assert subjects(known("Kenya"), "The road. Then Kenya") == ["Kenya"]


@given(
    name=LETTERS,
    at=st.integers(1, 4),
    kind=st.sampled_from("dist"),
    letter=st.sampled_from("gzs"),
)
def test_a_slip_of_the_keys_is_found_and_any_other_edit_is_not(name, at, kind, letter):
    typed = {
        "d": name[:at] + name[at + 1 :],
        "i": name[:at] + letter + name[at:],
        "s": name[:at] + letter + name[at + 1 :],
        "t": name[:at] + name[at + 1] + name[at] + name[at + 2 :],
    }[kind]
    name = name.capitalize()
    assert known(name).misspelt(typed.capitalize().encode()) == (
        name if is_slip(typed.capitalize(), name) else None
    )


@pytest.mark.parametrize(
    "typed", ["Fredonia", "Freeddonia", "Freednoia", "Freedomia", "rFeedonia", "FFreedonia"]
)
def test_a_wrong_key_press_in_a_long_name_is_forgiven(typed):
    assert known("Freedonia", "Sylvania").misspelt(typed.encode()) == "Freedonia"
    (found,) = mentions(known("Freedonia"), f"the capital of {typed} is")
    assert (found.subject, found.how, found.text) == ("Freedonia", "typo", typed)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Gabriele", "Gabriel"),
        ("Johnston", "Johnson"),
        ("Charlestown", "Charleston"),
        ("Martines", "Martinez"),
        ("Dominican", "Dominica"),
        ("Austrian", "Austria"),
        ("Bergmann", "Bergman"),
        ("Janssen", "Jansen"),
        ("Christina", "Christine"),
        ("Michelle", "Michele"),
        ("Frederick", "Frederic"),
        ("Kingstown", "Kingston"),
        ("Kenia", "Kenya"),  # short
        ("Route 66 Diner", "Route 67 Diner"),
        ("ABCDEFGH", "ABCDEFG"),
    ],
)
def test_another_name_is_no_misspelling(typed, name):
    assert known(name).misspelt(typed.encode()) is None
    assert known(typed).misspelt(name.encode()) is None
    assert name not in subjects(known(name), f"the capital of {typed} is")


def test_a_word_of_another_known_name_is_no_misspelling():
    assert known("Vanholten").misspelt(b"Vanhollten") == "Vanholten"
    assert known("Vanholten", "Vanhollten Street").misspelt(b"Vanhollten") is None
    names = known("Vanholten", "Vanhollten Street")
    names.remove("Vanhollten Street")
    assert names.misspelt(b"Vanhollten") == "Vanholten"


def test_a_slip_between_two_names_is_neither():
    assert known("Marklandia", "Markkandia").misspelt(b"Markandia") is None


def test_letters_are_counted_and_not_their_bytes():
    assert known("Yby Yaúçuera").misspelt("Yby Yaçúuera".encode()) == "Yby Yaúçuera"
    assert known("Zürich Süd").misspelt("Zürich Sü".encode()) is None  # too short
    assert known("Córdoban").misspelt("Cóórdoban".encode()) == "Córdoban"


def test_a_slip_beside_a_capital_inside_a_name():
    names = known("El Salvador", "Phone Case")
    assert names.misspelt(b"El SSalvador") == names.misspelt(b"El aSlvador") == "El Salvador"
    assert names.misspelt(b"iPhone Case") is None


@pytest.mark.parametrize("space", ["  ", "\N{NO-BREAK SPACE}", "\N{THIN SPACE}", "\n", "\t"])
def test_spaces_between_the_words_of_a_name_are_spaces(space):
    (found,) = mentions(known("El Salvador"), f"coffee of El{space}Salvador is")
    assert (found.subject, found.how, found.text) == ("El Salvador", "name", f"El{space}Salvador")
    assert subjects(known(f"El{space}Salvador"), "coffee of El Salvador is")[0] is not None


def test_letters_and_their_marks_are_one_letter_in_either_unicode_form():
    composed, apart = "Côte d'Ivoire", unicodedata.normalize("NFD", "Côte d'Ivoire")
    assert subjects(known(composed), f"the ports of {apart} are")[0] == composed
    assert subjects(known(apart), f"the ports of {composed} are")[0] == apart
    with pytest.raises(ValueError, match="stands for"):
        known(composed).add(apart, apart)


@given(st.text(max_size=12))
def test_any_text_can_be_looked_up(text):
    names = known("El Salvador", "Zürich")
    mentions(names, text)
    assert names.exact(text.encode()) in (None, "El Salvador", "Zürich")


def test_a_word_of_the_tokenizer_is_never_a_slip():
    names = known("Freedonia")
    assert mentions(names, "from Fredonia", Words(" Fredonia"))[-1].subject is None
    assert mentions(names, "from Fredonia")[-1].how == "typo"


def test_a_forgotten_subject_is_not_found_any_more():
    names = known("Freedonia", "Uganda")
    names.remove("Freedonia")
    assert "Freedonia" not in names
    assert names.misspelt(b"Fredonia") is None
    assert names.exact(b"Uganda") == "Uganda"


def test_one_name_cannot_mean_two_subjects():
    names = known("Kenya")
    with pytest.raises(ValueError, match="stands for 'Kenya' already"):
        names.add("Kenya", "Uganda")
    with pytest.raises(ValueError, match="at least one letter"):
        names.add("...", "Uganda")


def test_a_given_name_comes_before_the_capital_of_another():
    names = known("mercury", "Mercury")
    assert subjects(names, "from mercury to Mercury") == ["mercury", "Mercury"]


def test_mentions_are_the_same_whether_they_were_looked_for_before_or_not(monkeypatch):
    monkeypatch.setattr("prism.inject.names.LOOKBACK", 150)
    names = known("El Salvador", "Kenya", "Salvador", "New South Wales")
    text = "In El Salvadr, Cote and New  South Wales. Then Kenya. By Bo\n" * 6
    grown = Transcript(names, ByteTokenizer())
    for i, letter in enumerate(text.encode()):
        grown.append(letter)
        if i % 3:
            assert grown.mentions() == mentions(names, text[: i + 1])
    names.remove("Kenya")
    assert {m.subject for m in grown.mentions()} == {"El Salvador", "New South Wales", None}
