"""Ledger beside the accumulator: which value was bound under which key, from which source and when.

An accumulator cannot say which value to subtract, so exact forgetting needs the pair (key hash,
value id). One row per bound pair, in columns that grow by doubling; rows are never removed, only
superseded, so the history stays. A fact is a row at position 0 and, for a sequence, the rows after
it. Rows are found by an open-addressing table of row numbers (linear probing, load <= 1/2), all
keys of a batch at once. The table of a ledger that was read from a file is made when it is first
worth it: a few keys are found sooner by looking through the column.
"""

from __future__ import annotations

import numpy as np

from prism.holo.algebra.codes import mix

LIVE, FORGOTTEN = -1, -2
COLUMNS = {
    "key": np.uint64,
    "value": np.int32,
    "position": np.uint16,
    "source": np.int32,
    "time": np.float64,
    "superseded_by": np.int32,
}
EMPTY = -1
FEW = 16  # keys that are looked for in the column itself while there is no table


class Ledger:
    """Columns of rows, and the table that finds the latest row of a key hash."""

    def __init__(self) -> None:
        self._columns = {name: np.zeros(0, kind) for name, kind in COLUMNS.items()}
        self._rows = 0
        self._table: np.ndarray | None = np.full(16, EMPTY, np.int32)
        self._live = self._live_facts = 0
        self._names: list[str | None] = [None]
        self._name_ids: dict[str | None, int] = {None: 0}

    def __len__(self) -> int:
        """Rows, the superseded ones as well."""
        return self._rows

    def column(self, name: str) -> np.ndarray:
        """A column [rows] of ``COLUMNS``, as a view."""
        return self._columns[name][: self._rows]

    @property
    def sources(self) -> list[str | None]:
        """Names of the sources by id; 0 is None."""
        return self._names

    @property
    def nbytes(self) -> int:
        """Bytes of the rows in use and of the table."""
        row = sum(np.dtype(kind).itemsize for kind in COLUMNS.values())
        slots = _slots(self._rows) if self._table is None else len(self._table)
        return row * self._rows + slots * np.dtype(np.int32).itemsize

    @property
    def live(self) -> int:
        """Number of the rows that the accumulator holds."""
        return self._live

    @property
    def live_facts(self) -> int:
        """Number of those that are the first of a fact."""
        return self._live_facts

    def live_rows(self) -> np.ndarray:
        """Row numbers int64 of all pairs that the accumulator holds."""
        return np.flatnonzero(self.column("superseded_by") == LIVE)

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """The live row int64 [N] of each key hash; -1 where there is none."""
        rows = self.latest(hashes)
        known = rows >= 0
        known[known] = self.column("superseded_by")[rows[known]] == LIVE
        return np.where(known, rows, -1)

    def latest(self, hashes: np.ndarray) -> np.ndarray:
        """The latest row int64 [N] of each key hash, live or not; -1 if it was never bound."""
        if self._table is None and len(hashes) <= FEW:
            return self._looked_through(hashes)
        table = self._made_table()
        rows = np.full(len(hashes), -1, np.int64)
        open_ = np.arange(len(hashes))
        slot = self._slot(hashes)
        keys = self._columns["key"]
        while len(open_):
            row = table[slot]
            filled = row != EMPTY
            match = filled.copy()
            match[filled] = keys[row[filled]] == hashes[open_[filled]]
            rows[open_[match]] = row[match]
            go_on = filled & ~match
            open_, slot = open_[go_on], (slot[go_on] + 1) & (len(table) - 1)
        return rows

    def _looked_through(self, hashes: np.ndarray) -> np.ndarray:
        """:meth:`latest` without a table, the plain way."""
        keys, rows = self.column("key"), np.full(len(hashes), -1, np.int64)
        for i, code in enumerate(hashes):
            found = np.flatnonzero(keys == code)
            rows[i] = found[-1] if len(found) else -1
        return rows

    def chain(self, roots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All rows of the facts that start at ``roots`` [F], ascending, and the fact int64 of
        each."""
        position = self.column("position")
        rows, owners = [roots], [np.arange(len(roots))]
        while len(rows[-1]):
            after = rows[-1] + 1
            inside = after < self._rows
            inside[inside] = position[after[inside]] > 0
            rows.append(after[inside])
            owners.append(owners[-1][inside])
        every, owner = np.concatenate(rows), np.concatenate(owners)
        order = np.argsort(every)
        return every[order], owner[order]

    def append(
        self,
        keys: np.ndarray,
        values: np.ndarray,
        positions: np.ndarray,
        source: np.ndarray | int,
        time: np.ndarray | float,
    ) -> np.ndarray:
        """Add live rows [N], whose key hashes are distinct; their numbers int64 [N]."""
        self._reserve(self._rows + len(keys))
        rows = np.arange(self._rows, self._rows + len(keys))
        given = {"key": keys, "value": values, "position": positions, "source": source}
        for name, column in (given | {"time": time, "superseded_by": LIVE}).items():
            self._columns[name][rows] = column
        self._rows += len(keys)
        self._live += len(keys)
        self._live_facts += int(np.count_nonzero(np.asarray(positions) == 0))
        self._index(rows)
        return rows

    def supersede(self, rows: np.ndarray, by: np.ndarray | int = FORGOTTEN) -> None:
        """Mark live rows [N] as no longer in the accumulator; ``by`` = the rows that replaced
        them."""
        self._live -= len(rows)
        self._live_facts -= int(np.count_nonzero(self.column("position")[rows] == 0))
        self._columns["superseded_by"][rows] = by

    def keep_live(self) -> None:
        """Drop all rows that are not live, and the sources that only they name."""
        live = self.live_rows()
        used = np.zeros(len(self._names), bool)
        used[0] = True
        used[self.column("source")[live]] = True
        self._columns = {name: self.column(name)[live] for name in COLUMNS}
        self._rows = len(live)
        self.renumber("source", np.cumsum(used) - 1)
        self._names = [name for name, is_used in zip(self._names, used, strict=True) if is_used]
        self._name_ids = {name: i for i, name in enumerate(self._names)}
        self._rebuild(self._rows)

    def renumber(self, name: str, places: np.ndarray) -> None:
        """Replace every id i of the column ``name`` by ``places[i]``."""
        column = self.column(name)
        column[:] = places[column]

    def source_id(self, name: str | None) -> int:
        """The id of a source's name, a new one if need be."""
        if name not in self._name_ids:
            self._name_ids[name] = len(self._names)
            self._names.append(name)
        return self._name_ids[name]

    def history(self, hashes: np.ndarray) -> np.ndarray:
        """All rows int64 of one key, oldest first; ``hashes`` uint64 [n] are those of its
        spellings."""
        return np.flatnonzero(np.isin(self.column("key"), hashes))

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns, to be saved, as views."""
        return {name: self.column(name) for name in COLUMNS}

    @classmethod
    def from_arrays(cls, columns: dict[str, np.ndarray], sources: list[str | None]) -> Ledger:
        """The ledger that :meth:`arrays` and :attr:`sources` describe; it takes the arrays over."""
        ledger = cls()
        ledger._columns = {
            name: columns[name].astype(kind, copy=False) for name, kind in COLUMNS.items()
        }
        ledger._rows = len(columns["key"])
        live = ledger.live_rows()
        ledger._live = len(live)
        ledger._live_facts = int(np.count_nonzero(ledger.column("position")[live] == 0))
        ledger._table = None
        ledger._names = list(sources)
        ledger._name_ids = {name: i for i, name in enumerate(sources)}
        return ledger

    def _slot(self, hashes: np.ndarray) -> np.ndarray:
        return (mix(hashes) & np.uint64(len(self._made_table()) - 1)).astype(np.int64)

    def _made_table(self) -> np.ndarray:
        if self._table is None:
            self._rebuild(self._rows)
        return self._table  # type: ignore[return-value]

    def _reserve(self, rows: int) -> None:
        size = len(self._columns["key"])
        if rows > size:
            grown = max(rows, 2 * size, 16)
            for name, column in self._columns.items():
                bigger = np.zeros(grown, column.dtype)
                bigger[: self._rows] = column[: self._rows]
                self._columns[name] = bigger
        if 2 * rows > len(self._made_table()):
            self._rebuild(rows)

    def _rebuild(self, rows: int) -> None:
        self._table = np.full(_slots(rows), EMPTY, np.int32)
        keys = self.column("key")[::-1]
        _, last = np.unique(keys, return_index=True)  # only the latest row of a key is indexed
        self._index(np.sort(self._rows - 1 - last))

    def _index(self, rows: np.ndarray) -> None:
        """Enter rows with distinct keys; a row of the same key that is there is replaced."""
        hashes = self._columns["key"][rows]
        slot = self._slot(hashes)
        while len(rows):
            there = self._table[slot]
            filled = there != EMPTY
            mine = filled.copy()
            mine[filled] = self._columns["key"][there[filled]] == hashes[filled]
            writable = ~filled | mine
            self._table[slot[writable]] = rows[writable]
            # Two rows may have met in one empty slot: the one that is there now has won.
            left = ~(writable & (self._table[slot] == rows))
            rows, hashes, slot = rows[left], hashes[left], slot[left]
            taken = self._columns["key"][self._table[slot]] != hashes
            slot = np.where(taken, (slot + 1) & (len(self._table) - 1), slot)


def _slots(rows: int) -> int:
    """Slots of a new table for so many rows."""
    return 1 << max(4, (2 * rows).bit_length())
