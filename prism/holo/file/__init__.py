"""A tape on disk: its file, the layout of the file with its checksum, and the lock of its
writers."""

from prism.holo.file.lock import locked
from prism.holo.file.tape_file import Stamps, load, save, stamps_of

__all__ = ["Stamps", "load", "locked", "save", "stamps_of"]
