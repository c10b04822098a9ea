"""The secret key of a home, under which personal data is hashed."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from data.editions.disk import sync, translate_disk_errors, write_durably
from data.errors import UserError

KEY = "key"
KEY_BYTES = 32


def secret_key(home: Path | str) -> bytes:
    """Return the home's 32 random bytes for keyed hashes; they are created on first use.

    Raises
    ------
    UserError
        When others may read the file, or it has another length.
    """
    path = Path(home) / KEY
    with translate_disk_errors(Path(home)):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{KEY}.{secrets.token_hex(8)}")
            write_durably(temporary, secrets.token_bytes(KEY_BYTES), 0o600)
            # A link fails where a rename would replace: two first users end with the same key.
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
            temporary.unlink()
            sync(path.parent)
        if path.stat().st_mode & 0o077:
            raise UserError("key_readable", path=path)
        key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise UserError("key_incomplete", path=path, count_key=len(key))
    return key
