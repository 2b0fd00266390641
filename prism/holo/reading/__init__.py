"""Rows of a table, CSV, TSV or JSON lines, as facts.

open_table  a path, "-" or a .gz -> lines of text
csv_rows, json_rows              -> records: line and fields by name
Columns                          -> facts: line, key, value
"""

from prism.holo.reading.columns import BadRow, Columns, FactRow
from prism.holo.reading.read import STDIN, open_table, read_records, read_rows

__all__ = [
    "STDIN",
    "BadRow",
    "Columns",
    "FactRow",
    "open_table",
    "read_records",
    "read_rows",
]
