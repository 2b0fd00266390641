"""From rows to what is read and what is learned."""

from __future__ import annotations

from typing import Any

import pytest

from prism.data.formats import Messages, Template, TextField, format_from


def test_one_field_is_learned_whole() -> None:
    assert TextField("body").parts({"body": "all", "title": "no"}) == (("all", True),)


def test_a_prompt_is_read_and_an_answer_learned() -> None:
    squad = Template("{context} Q: {question} A:", " {answers.text.0}")
    row = {"context": "C", "question": "why?", "answers": {"text": ["so", "thus"], "start": [0]}}
    assert squad.parts(row) == (("C Q: why? A:", False), (" so", True))
    assert squad.columns == ("context", "question", "answers")


@pytest.mark.parametrize("answers", [{"text": []}, {"text": None}, {"text": [""]}, None])
def test_a_row_without_an_answer_gives_no_text(answers: Any) -> None:
    template = Template("{q}", "{answers.text.0}")
    assert template.parts({"q": "?", "answers": answers}) == ()


def test_only_the_assistant_is_learned() -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    parts = Messages().parts({"messages": turns})
    assert "".join(text for text, _ in parts) == "<|user|>\nhi\n<|assistant|>\nhello\n"
    assert [text for text, learned in parts if learned] == ["hello\n"]


def test_the_other_spelling_of_a_chat_means_the_same() -> None:
    ours = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    theirs = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes"}]
    assert Messages().parts({"messages": ours}) == Messages().parts({"messages": theirs})


def test_a_chat_without_an_answer_gives_no_text() -> None:
    assert Messages().parts({"messages": [{"role": "user", "content": "hi"}]}) == ()


@pytest.mark.parametrize(
    ("format", "row", "says"),
    [
        (TextField(), {"body": ""}, r"no field 'text' for 'text'; there are \['body'\]"),
        (TextField(), {"text": True}, "field 'text' = True: must be text"),
        (TextField("a.b"), {"a": 3}, "field 'a.b': 3 has no part 'b'"),
        (Messages(), {"messages": "hi"}, "field 'messages' = 'hi': must be a list of messages"),
        (Messages(), {"messages": [{"role": "user"}]}, "must have a role and a content"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(format: Any, row: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        format.parts(row)


def test_options_choose_the_format() -> None:
    assert format_from({}) == TextField("text")
    assert format_from({"text": "body"}) == TextField("body")
    assert format_from({"messages": "turns"}) == Messages("turns")
    assert format_from({"prompt": "{q}", "answer": "{a}"}) == Template("{q}", "{a}")
    assert format_from({"answer": "{a}"}) == Template("", "{a}")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prompt": "{q}"}, "must be text, messages, or prompt and answer"),
        ({"text": "a", "messages": "b"}, "must be text, messages, or prompt and answer"),
        ({"text": 3}, "text = 3: must be text"),
        ({"fields": "a"}, r"format \['fields'\]: must be text"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        format_from(options)
