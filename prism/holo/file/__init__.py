"""A tape on disk: its file, the layout of the file with its checksum, and the lock of its
writers."""

from prism.holo.file.lock import locked
from prism.holo.file.tape_file import Stamp, load, save, stamp_of

__all__ = ["Stamp", "load", "locked", "save", "stamp_of"]
