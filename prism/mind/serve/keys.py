"""Keys of the server: each opens one tenant; the file has their SHA-256 only.

    {"tenant": "acme", "sha256": "9f86d0..."}        one JSON object a line

A key is 256 random bits, so its plain hash cannot be searched. The file is read again when it has
changed: a line that is taken out shuts its key out at once. While it cannot be read, no key opens.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from pathlib import Path

from prism import whole_file

PREFIX = "prism-"
DIGEST = re.compile("[0-9a-f]{64}")


def digest(key: str) -> str:
    """SHA-256 of a key, in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(path: Path) -> dict[str, str]:
    """Tenants by the digests of their keys.

    Raises:
        ValueError: a line that is no key, named with its number; or no key at all.
        OSError: the file cannot be read.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            tenant, code = row["tenant"], row["sha256"]
        except (ValueError, KeyError, TypeError):
            tenant = code = None
        if not (isinstance(tenant, str) and tenant.strip() and isinstance(code, str)):
            raise ValueError(f'{path}:{number}: must be {{"tenant": NAME, "sha256": HEX}}')
        if not DIGEST.fullmatch(code):
            raise ValueError(f"{path}:{number}: sha256: must be 64 digits 0-9, a-f")
        found[code] = tenant
    if not found:
        raise ValueError(f"{path}: holds no key; --new-key TENANT makes one")
    return found


def new_key(path: Path, tenant: str) -> str:
    """Make a key for a tenant; the key, which is nowhere else. The file is made if it is not there.

    Raises:
        ValueError: an empty tenant, or a file that holds something else.
        OSError: the file cannot be written.
    """
    if not tenant.strip():
        raise ValueError(f"tenant {tenant!r}: must be text that is not empty")
    before = ""
    if path.exists() and (before := path.read_text("utf-8")).strip():
        read_keys(path)
        before = before.rstrip("\n") + "\n"
    key = PREFIX + secrets.token_urlsafe(32)
    row = json.dumps({"tenant": tenant, "sha256": digest(key)}, ensure_ascii=False)
    whole_file.write(path, f"{before}{row}\n")
    return key


class Keys:
    """The keys of a file, as it stands now.

    Args:
        path: the file.

    Raises:
        ValueError, OSError: as :func:`read_keys`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._stat()
        self._tenants = read_keys(path)

    def _stat(self) -> tuple[int, int, int]:
        stat = self.path.stat()
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def tenant(self, key: str) -> str | None:
        """The tenant that a key opens, or None.

        Raises:
            ValueError, OSError: the file has changed and cannot be read.
        """
        stamp = self._stat()
        if stamp != self._stamp:
            self._tenants = read_keys(self.path)
            self._stamp = stamp
        return self._tenants.get(digest(key))
