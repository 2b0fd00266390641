"""Records of the top k: every planted defect is named in one run, and columns hold them exactly."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.data.blocks import packed
from prism.distill.__main__ import main
from prism.distill.columns import decoded, encoded, fixed, read_columns
from prism.distill.records import Validator, validated, written
from tests.distill.conftest import PROMPTS, World, generate_flags
from tests.distill.test_capture import refused

Record = dict[str, Any]


def load(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def tokens_of(record: Record) -> list[Record]:
    return record["token_logprobs"]


def text_differs(r: Record) -> None:
    r["messages"][-1]["content"] = "something else altogether"


# kind: what is done to a record, the position that must be named, what must be said
PLANTED: dict[str, tuple[Callable[[Record], Any], str, str]] = {
    "length": (lambda r: r.update(response_tokens=5000), "-", "response_tokens = 5000"),
    "roles": (lambda r: r["messages"].reverse(), "-", "must alternate"),
    "position": (lambda r: tokens_of(r)[2].update(position=7), "2", "position = 7: must be 2"),
    "width": (lambda r: tokens_of(r)[1]["top_k"].pop(), "1", "has 19 entries: must have 20"),
    "twice": (
        lambda r: tokens_of(r)[3]["top_k"].__setitem__(5, tokens_of(r)[3]["top_k"][4]),
        "3", "stands twice",
    ),
    "vocabulary": (
        lambda r: tokens_of(r)[0]["top_k"][4].update(token_id=90_000),
        "0", "id 90000: must be below 380",
    ),
    "order": (
        lambda r: tokens_of(r)[1]["top_k"][19].update(logprob=tokens_of(r)[1]["top_k"][0]["logprob"]
                  + 0.25 * tokens_of(r)[1]["top_k"][1]["logprob"] * 0),
        "1", "must not rise",
    ),
    "number": (
        lambda r: tokens_of(r)[2]["top_k"][3].update(logprob=0.5), "2", "must be finite and <= 0",
    ),
    "mass": (
        lambda r: [e.update(logprob=-1.0) for e in tokens_of(r)[4]["top_k"]],
        "4", "probabilities sum to",
    ),
    "chosen": (
        lambda r: tokens_of(r)[0].update(
            generated_token_id=tokens_of(r)[0]["top_k"][0]["token_id"],
            generated_token=tokens_of(r)[0]["top_k"][0]["token"], logprob=-77.0),
        "0", "generated token: logprob -77.0: must be",
    ),
    "string": (
        lambda r: tokens_of(r)[5]["top_k"][2].update(token="zzz"), "5", "before",
    ),
    "text": (text_differs, "0", "the answer has"),
}  # fmt: skip


def planted(answers: Path, out: Path) -> dict[int, tuple[str, str]]:
    """A file with a good line, then one of each defect, a copy, no JSON, no UTF-8, a cut-off line;
    by line, the position and text that must be named."""
    good = [r for r in load(answers) if len(tokens_of(r)) >= 7 and "�" not in json.dumps(
        [t["generated_token"] for t in tokens_of(r)], ensure_ascii=False)]  # fmt: skip
    assert len(good) >= 2
    lines, wanted = [written(good[0])], {}
    for kind, (harm, position, text) in PLANTED.items():
        record = copy.deepcopy(good[1])
        record["kind"] = kind  # so that it is no copy of another
        harm(record)
        lines.append(written(record))
        wanted[len(lines)] = (position, text)
    lines.append(written(good[1]))
    lines.append(written(good[0]))
    wanted[len(lines)] = ("-", "is the same as line 1")
    lines.append(b'{"messages": oops}\n')
    wanted[len(lines)] = ("13", "not JSON")
    lines.append(b'{"messages": "\xff"}\n')
    wanted[len(lines)] = ("14", "not UTF-8")
    lines.append(written(good[1])[:200])
    wanted[len(lines)] = ("", "the last line is cut off")
    out.write_bytes(b"".join(lines))
    return wanted


def test_every_planted_defect_is_named_in_one_run_and_the_good_lines_are_kept(
    answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, good = tmp_path / "bad.jsonl", tmp_path / "good.jsonl"
    wanted = planted(answers, file)
    argv = ["validate", str(file), "--vocab-size", "380", "--keep-good", str(good)]
    assert main(argv) == 3
    said = capsys.readouterr().out.splitlines()
    for line, (position, text) in wanted.items():
        begin = f"{file}:{line}:{position}"
        assert any(s.startswith(begin) and text in s for s in said), (line, text, said)
    named = {int(s.removeprefix(f"{file}:").split(":")[0]) for s in said}
    assert named == set(wanted)  # and no good line is
    raw = file.read_bytes().splitlines(keepends=True)
    assert good.read_bytes() == b"".join(x for i, x in enumerate(raw, 1) if i not in wanted)
    capsys.readouterr()
    assert main(["validate", str(good)]) == 0
    assert capsys.readouterr().out == ""


def test_answers_go_through_columns_and_come_back_byte_for_byte(
    answers: Path, tmp_path: Path
) -> None:
    columns, back = tmp_path / "a.columns", tmp_path / "b.jsonl"
    assert main(["convert", str(answers), str(columns)]) == 0
    assert main(["convert", str(columns), str(back)]) == 0
    assert back.read_bytes() == answers.read_bytes()
    assert columns.stat().st_size < answers.stat().st_size / 5
    outside = [t for r in load(answers) for t in tokens_of(r)
               if t["generated_token_id"] not in [e["token_id"] for e in t["top_k"]]]  # fmt: skip
    assert outside  # generated tokens outside of the top k went through as well


logprob = st.one_of(
    st.floats(max_value=0.0, allow_nan=False, allow_infinity=False),
    st.floats(max_value=0.0, allow_nan=False, allow_infinity=False, width=32),
    st.integers(-400, 0).map(lambda i: i / 8),
)


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    k = draw(st.integers(1, 6))
    kind = draw(st.sampled_from([st.integers(0, 20), st.integers(0, 2**18), st.integers(0, 2**31)]))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        tokens = []
        for position in range(draw(st.integers(1, 5))):
            ids = draw(st.lists(kind, min_size=k, max_size=k, unique=True))
            logs = sorted(draw(st.lists(logprob, min_size=k, max_size=k)), reverse=True)
            own, log = draw(st.one_of(st.sampled_from(list(zip(ids, logs, strict=True))),
                                      st.tuples(kind, logprob)))  # fmt: skip
            if own in ids:
                log = logs[ids.index(own)]
            top = [{"token_id": i, "token": f"<{i}>", "logprob": x}
                   for i, x in zip(ids, logs, strict=True)]  # fmt: skip
            token = {"position": position, "generated_token_id": own, "logprob": log}
            tokens.append({**token, "generated_token": f"<{own}>", "top_k": top})
        said = [{"role": "assistant", "content": draw(st.text())}]
        found.append({"messages": said, "response_tokens": len(tokens), "token_logprobs": tokens})
    return found


@given(records())
@settings(max_examples=40, deadline=None)
def test_columns_are_lossless_for_ids_of_any_width_ties_and_any_floats(
    tmp_path_factory: pytest.TempPathFactory, found: list[Record]
) -> None:
    path = tmp_path_factory.mktemp("c") / "x.columns"
    path.write_bytes(packed(*encoded(found)))
    assert list(read_columns(path)) == found
    assert decoded  # read_columns goes through it


def test_the_fixed_form_takes_the_bits_that_it_says(answers: Path) -> None:
    found = load(answers)
    n = sum(len(tokens_of(r)) for r in found)
    bits = 21 * (9 + 16)  # 380 ids
    assert len(fixed(found, 380)) == n * -(-bits // 8)


def test_generation_that_was_cut_off_goes_on_to_the_same_bytes(
    world: World, answers: Path, tmp_path: Path
) -> None:
    wanted = answers.read_bytes()
    for share in (0.0, 0.4, 0.97):
        out = tmp_path / f"{share}.jsonl"
        out.write_bytes(wanted[: int(len(wanted) * share)])
        about = answers.with_name("answers.jsonl.about.json")
        out.with_name(f"{share}.jsonl.about.json").write_bytes(about.read_bytes())
        assert main(generate_flags(world, out)) == 0
        assert out.read_bytes() == wanted


def test_what_generate_writes_has_no_defect(answers: Path) -> None:
    found = list(validated(answers, Validator(top_k=20, vocab_size=380)))
    assert len(found) == PROMPTS
    assert not [d for _, _, defects in found for d in defects]


def test_bad_input_is_one_line(
    world: World, answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [*generate_flags(world, answers), "--temperature", "2"]
    assert "is there, of other prompts, teacher or sampling" in refused(capsys, argv)
    argv = [*generate_flags(world, tmp_path / "x.jsonl"), "--top-k", "9999"]
    assert "--top-k 9999: must be at most 380" in refused(capsys, argv)
    assert "must end in" in refused(capsys, ["convert", str(answers), str(tmp_path / "x.csv")])
    assert "must end in the other" in refused(capsys, ["convert", str(answers), "y.jsonl"])
    damaged = tmp_path / "d.columns"
    assert main(["convert", str(answers), str(damaged)]) == 0
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 2] ^= 4
    damaged.write_bytes(raw)
    assert "block 0 at byte 0 is damaged" in refused(capsys, ["inspect", str(damaged)])


def test_a_store_exports_its_top_k_as_records_without_a_defect(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "top.jsonl"
    assert main(["export", str(world.store), str(out), "--top-k", "10"]) == 0
    assert main(["validate", str(out)]) == 0
    assert len(load(out)) == 24
    assert main(["inspect", str(out)]) == 0
    assert "top 10: probability 0." in capsys.readouterr().out
