"""``python -m prism.report runs/X``: draw a run into one self-contained page, X/report.html."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from prism import whole_file
from prism.command import Parser
from prism.engine.logs.report import Samples, render
from prism.engine.store import folder
from prism.loading import load_with_tokenizer
from prism.whole_file import reason

PROMPT = "The "
DRAWS = 2
TEMPERATURE = 0.8


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m prism.report", description=__doc__)
    p.add_argument("run", type=Path, metavar="DIR", help="folder of a run of prism.run_scale")
    p.add_argument("--out", type=Path, metavar="FILE", help="default DIR/report.html")
    p.add_argument("--prompt", default=PROMPT, metavar="TEXT", help="for the sample text")
    p.add_argument(
        "--sample-tokens", type=int, default=200, metavar="N", help="default %(default)s; 0 = none"
    )
    args = p.parse_args(argv)
    try:
        if not args.prompt:
            raise ValueError("--prompt '': must not be empty")
        if args.sample_tokens < 0:
            raise ValueError(f"--sample-tokens {args.sample_tokens}: must be >= 0")
        samples = written(args.run, args.prompt, args.sample_tokens) if args.sample_tokens else None
        text = render(args.run, samples)
        target = args.out or args.run / "report.html"
        whole_file.write(target, text)
    except (ValueError, OSError) as error:
        p.error(reason(error))
    print(f"report: {target}")
    return 0


def written(run: Path, prompt: str, tokens: int) -> Samples:
    """Continuations of ``prompt`` by the newest checkpoint of ``run``; where there is none, or it
    cannot be read, the note says why."""
    if not folder.complete(run):
        return Samples(note="No text: there is no checkpoint yet.")
    try:
        model, tokenizer = load_with_tokenizer(run)
    except (ValueError, OSError) as error:
        return Samples(note=f"No text: {reason(error)}")
    ids = torch.tensor(tokenizer.encode(prompt))
    texts = []
    for seed in range(DRAWS):
        drawn = model.generate(ids, tokens, temperature=TEMPERATURE, seed=seed).tolist()
        new = drawn[len(ids) :]
        if tokenizer.end in new:
            new = new[: new.index(tokenizer.end)]
        texts.append(tokenizer.decode(new))
    note = f"Continuations of {prompt!r} by the newest checkpoint, at temperature {TEMPERATURE}."
    return Samples(prompt, texts, note)


if __name__ == "__main__":
    sys.exit(main())
