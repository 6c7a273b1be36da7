"""Keys that never leave this machine: from the environment, or from a file kept at 0600."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from config.secrets import SecretMissing, read_secret
from config.settings import Console, Privacy

SHORTEST = 32  #: characters


def author_key(privacy: Privacy, environ: Mapping[str, str]) -> bytes:
    """The key; a missing key file is made once. Raises SecretMissing where it is unusable.

    Without the key no pseudonym can be traced to an account, so it belongs neither in the
    database nor in its backups (PIPL art. 51: de-identification).
    """
    return _long_enough(*_kept(privacy.author_key_env, Path(privacy.author_key_file), environ))


def link_keys(console: Console, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The keys behind links in mails, one a line, the oldest first; the last one signs.

    A missing file is made once. To rotate, add a line; drop the old one three days later.
    Raises SecretMissing where they are unusable.
    """
    text, where = _kept(console.link_key_env, Path(console.link_key_file), environ)
    keys = tuple(line.strip() for line in text.splitlines() if line.strip())
    for key in keys or ("",):
        _long_enough(key, where)
    return keys


def _kept(name: str, path: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """(the secret, where it was). Raises SecretMissing."""
    if environ.get(name) or environ.get(f"{name}_FILE"):
        return read_secret(name, environ).get_secret_value(), f"${name}"
    try:
        make_key(path)
        if path.stat().st_mode & 0o077:
            raise SecretMissing(f"{path}: others can read it; expected mode 0600")
        return path.read_text(encoding="utf-8").strip(), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissing(
            f"{path}: {type(error).__name__}: expected a readable key file, or ${name}"
        ) from None


def make_key(path: Path) -> bool:
    """Writes a fresh key, whole or not at all; False where there was one. Raises OSError."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike rename, does not replace a key made meanwhile
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _long_enough(key: str, where: str) -> bytes:
    if len(key) < SHORTEST:
        raise SecretMissing(f"{where}: expected a key of {SHORTEST} characters or more")
    return key.encode()
