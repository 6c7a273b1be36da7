"""The key behind author pseudonyms: from the environment, or from a file kept at 0600."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from config.secrets import SecretMissing, read_secret
from config.settings import Privacy
from config.starting import make_key


def author_key(privacy: Privacy, base: Path, environ: Mapping[str, str]) -> bytes:
    """The key; a missing key file is made once. Raises SecretMissing where it is unusable.

    Without the key no pseudonym can be traced to an account, so it belongs neither in the
    database nor in its backups (PIPL art. 51: de-identification).
    """
    name = privacy.author_key_env
    if environ.get(name) or environ.get(f"{name}_FILE"):
        value = read_secret(name, environ).get_secret_value()
    else:
        path = base / privacy.author_key_file
        try:
            make_key(path)
        except FileExistsError:
            pass
        except OSError as error:
            raise SecretMissing(f"{path}: {type(error).__name__}") from None
        if path.stat().st_mode & 0o077:
            raise SecretMissing(f"{path}: others can read it; expected mode 0600")
        value = path.read_text(encoding="ascii").strip()
    if len(value) < 32:
        raise SecretMissing(f"{name}: shorter than 32 characters")
    return value.encode()
