"""``python -m prism.serve``: bad arguments are one line; keys are made; Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from functools import partial

import pytest

from prism import serve
from tests.mind.serve.serving import needs_server


def line(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        serve.main(list(arguments))
    assert end.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("prism.serve: ")


def test_bad_arguments_are_one_line(capsys, tmp_path):
    kb = ("--kb", str(tmp_path / "mind.db"))
    assert line(capsys) == "the following arguments are required: --kb"
    assert line(capsys, *kb, "--port", "70000") == "--port 70000: must be 0 to 65535"
    assert line(capsys, *kb, "--parallel", "0") == "--parallel 0: must be 1 to 64"
    assert line(capsys, *kb, "--host", "0.0.0.0") == (
        "--host 0.0.0.0: needs --keys; without them must be 127.0.0.1"
    )
    assert line(capsys, *kb, "--new-key", "acme") == (
        "--new-key: needs --keys FILE, where its hash is kept"
    )
    assert not (tmp_path / "mind.db").exists()


@needs_server
def test_what_cannot_be_served_is_one_line(capsys, tmp_path):
    kb, keys = ("--kb", str(tmp_path / "mind.db")), tmp_path / "keys.jsonl"
    assert line(capsys, *kb, "--keys", str(keys)).endswith("No such file or directory")
    keys.write_text("acme: secret\n", "utf-8")
    assert line(capsys, *kb, "--keys", str(keys)).startswith(f"{keys}:1: must be")
    keys.write_text("\n", "utf-8")
    assert "holds no key; --new-key" in line(capsys, *kb, "--keys", str(keys))
    keys.write_text("no database\n" * 100, "utf-8")
    assert line(capsys, "--kb", str(keys)).endswith(
        "is not a knowledge base (file is not a database)"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "Address already in use" in line(capsys, *kb, "--port", str(port))


@needs_server
def test_a_new_key_is_printed_once_and_kept_as_its_hash(capsys, tmp_path):
    file = tmp_path / "keys.jsonl"
    arguments = ["--kb", str(tmp_path / "mind.db"), "--keys", str(file), "--new-key"]
    made = []
    for tenant in ("acme", "bolt & co"):
        assert serve.main([*arguments, tenant]) == 0
        made.append(capsys.readouterr().out.strip())
    from prism.mind.serve.keys import Keys

    keys = Keys(file)
    assert [keys.tenant(key) for key in made] == ["acme", "bolt & co"]
    assert keys.tenant("") is None and made[0] not in file.read_text("utf-8")
    assert line(capsys, *arguments, " ") == "tenant ' ': must be text that is not empty"


@needs_server
@pytest.mark.long
def test_it_says_where_it_serves_and_ctrl_c_ends_it(tmp_path):
    arguments = ["-m", "prism.serve", "--kb", str(tmp_path / "mind.db"), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # a shell's background jobs ignore SIGINT, and their children with them
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        said = process.stdout.readline()
        url = next(word for word in said.split() if word.startswith("http"))
        assert "this machine only" in process.stdout.readline()
        with urllib.request.urlopen(f"{url}healthz", timeout=60) as answer:
            assert b'"status":"ok"' in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, "", "stopped\n")
    finally:
        process.kill()


@pytest.mark.long
def test_help_loads_no_server():
    code = "import sys; from prism.serve import parser; parser(); print('uvicorn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "False\n"
