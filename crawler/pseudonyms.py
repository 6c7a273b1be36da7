"""Keyed pseudonyms: who wrote a post is never stored, only whether it was the same person."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from config.secrets import SecretMissing, read_secret
from config.settings import Privacy

_BYTES = 32


def pseudonym(channel: str, author_id: str, key: bytes) -> str:
    """16 hex digits for one author on one channel; empty where the author is not known.

    A plain hash would not do: all mobile numbers can be tried in hours.
    """
    if not author_id:
        return ""
    said = channel.encode() + b"\x1f" + author_id.encode("utf-8", "replace")
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:16]


def author_key(privacy: Privacy, environ: Mapping[str, str], folder: Path = Path()) -> bytes:
    """The key from $NAME, $NAME_FILE or the key file, which is made (0600) where there is none.

    Raises SecretMissing where a named file cannot be read or the key is too short.
    """
    name = privacy.author_key_env
    if environ.get(name) or environ.get(f"{name}_FILE"):
        return _long_enough(read_secret(name, environ).get_secret_value().encode(), f"${name}")
    path = folder / privacy.author_key_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
        return _long_enough(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise SecretMissing(
            f"{path}: {type(error).__name__}: expected a readable key file, or ${name}"
        ) from None


def _make(path: Path) -> None:
    """Writes a new key whole or not at all, so that two processes agree on one."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # unlike rename, does not replace a key made meanwhile
    finally:
        draft.unlink()


def _long_enough(key: bytes, where: str) -> bytes:
    if len(key) < 16:
        raise SecretMissing(f"{where}: expected a key of 16 characters or more")
    return key
