"""Output that nobody reads any more breaks nothing."""

from __future__ import annotations

import errno
import io
import os

import pytest

from prism.command import LastingStream


class Ends(io.StringIO):
    """A stream whose writes and flushes fail."""

    def __init__(self, number: int, descriptor: int) -> None:
        super().__init__()
        self.number, self.descriptor = number, descriptor

    def fileno(self) -> int:
        return self.descriptor

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))

    def flush(self) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.EBADF])
def test_once_the_reader_is_gone_output_goes_nowhere(number: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = LastingStream(Ends(number, writer))
    assert stream.write("text") == 4
    stream.flush()
    assert os.write(writer, b"and so does that of a library") == 29
    os.close(writer)


def test_a_log_on_a_full_disk_loses_lines_and_goes_on_when_there_is_room() -> None:
    reader, writer = os.pipe()
    LastingStream(Ends(errno.ENOSPC, writer)).write("text")
    os.write(writer, b"later")
    assert os.read(reader, 9) == b"later"
    os.close(reader)
    os.close(writer)


def test_another_error_is_one() -> None:
    with pytest.raises(OSError, match="Permission"):
        LastingStream(Ends(errno.EACCES, 1)).write("text")
