"""``python -m prism.serve``: serve a knowledge base over HTTP: OpenAI's chat protocol, facts, and
a page at /.

Without --keys it serves this machine alone. --new-key TENANT makes a key, prints it once and keeps
its hash; every route then needs a key, which opens its tenant's facts and no other's. For other
machines put a proxy with TLS in front.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

from prism.command import Parser, command, say
from prism.whole_file import reason

INSTALL = "the server needs starlette and uvicorn: pip install 'prism-lm[mind]'"
HERE = ("127.0.0.1", "::1", "localhost")
CONNECTIONS, LINGER = 512, 5  # open at once; seconds that answers get to end after Ctrl-C
EXAMPLES = """\
examples:
  python -m prism.serve --kb mind.db --port 8000
  python -m prism.serve --kb mind.db --keys keys.jsonl --new-key acme
  python -m prism.serve --kb mind.db --keys keys.jsonl --model smollm2
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.serve", description=__doc__, epilog=EXAMPLES)
    p.add_argument("--kb", type=Path, required=True, metavar="FILE", help="made if it is not there")
    p.add_argument("--host", default="127.0.0.1", help="address to listen at; default 127.0.0.1")
    p.add_argument("--port", type=int, default=8000, help="default 8000; 0 = a free one")
    p.add_argument("--keys", type=Path, metavar="FILE", help="API keys, as hashes; a line each")
    p.add_argument("--new-key", metavar="TENANT", help="make a key in --keys, print it, and end")
    p.add_argument(
        "--tenant", default="default", metavar="NAME", help="whose facts, without --keys"
    )
    p.add_argument(
        "--model",
        default="none",
        metavar="none|smollm2|RUN",
        help="speaks the answers; none: they are given as they are",
    )
    p.add_argument("--parallel", type=int, default=4, metavar="N", help="turns at once; default 4")
    p.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="another site whose pages may call; default none",
    )
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        check(args)
        if args.new_key is not None:
            from prism.mind.serve.keys import new_key

            say(new_key(args.keys, args.new_key))
            return 0
        return serve(args)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0] in ("starlette", "uvicorn", "anyio")
        p.error(INSTALL if missing else reason(error))
    except (ValueError, OSError) as error:
        p.error(reason(error))
    return 0


def check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together.

    Raises:
        ValueError: names the argument.
    """
    if not 0 <= args.port < 65_536:
        raise ValueError(f"--port {args.port}: must be 0 to 65535")
    if not 1 <= args.parallel <= 64:
        raise ValueError(f"--parallel {args.parallel}: must be 1 to 64")
    if args.keys is None and args.new_key is not None:
        raise ValueError("--new-key: needs --keys FILE, where its hash is kept")
    if args.keys is None and args.host not in HERE:
        raise ValueError(f"--host {args.host}: needs --keys; without them must be 127.0.0.1")


def serve(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C.

    Raises:
        ImportError, ValueError, OSError: something is missing or cannot be read; nothing listens.
    """
    import uvicorn

    from prism.mind.knowledge import KnowledgeBase
    from prism.mind.serve.app import application
    from prism.mind.serve.keys import read_keys

    KnowledgeBase(args.kb, args.tenant).close()  # refused before anything is loaded
    if args.keys is not None:
        read_keys(args.keys)
    with listening(args.host, args.port) as door:
        name = "prism" if args.model == "none" else f"prism-{Path(args.model).name}"
        app = application(
            args.kb,
            args.keys,
            args.tenant,
            speaking(args.model),
            name,
            args.parallel,
            tuple(args.allow_origin),
        )
        # No access log: paths may name what is erased later.
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=LINGER,
        )
        host = f"[{args.host}]" if ":" in args.host else args.host
        say(f"serving {args.kb} at http://{host}:{door.getsockname()[1]}/ as model {name}")
        if args.keys is None:
            say(f"no --keys: this machine only, tenant {args.tenant}; Ctrl-C ends")
        uvicorn.Server(config).run(sockets=[door])
    return 0


def listening(host: str, port: int) -> socket.socket:
    """A socket that is bound.

    Raises:
        ValueError: the address is taken or is none of this machine; names it.
    """
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind)
        try:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(address)
            door.listen(256)
        except OSError:
            door.close()
            raise
        return door
    except OSError as error:
        raise ValueError(f"{host}:{port}: {error.strerror}") from None


def speaking(model: str) -> tuple[Any, Any] | None:
    """The model that speaks, with its tokenizer; None for "none".

    Raises:
        ImportError, ValueError, OSError: there is none of that name.
    """
    if model == "none":
        return None
    if model == "smollm2":
        from prism.pretrained.smollm2 import load_smollm2

        return load_smollm2()
    from prism.loading import load_with_tokenizer

    return load_with_tokenizer(model)


if __name__ == "__main__":
    sys.exit(main())
