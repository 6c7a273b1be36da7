"""Secrets by reference: settings hold a NAME; its value is in $NAME or in the file $NAME_FILE."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import SecretStr, StringConstraints

SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,63}$")]


class SecretMissing(Exception):
    """A secret that settings name cannot be read; the text never holds its value."""


def read_secret(name: str, environ: Mapping[str, str]) -> SecretStr:
    """The value of `name`, from the environment or from the file that NAME_FILE points to."""
    path = environ.get(f"{name}_FILE")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretMissing(f"${name}_FILE={path}: {type(error).__name__}") from None
        if not value:
            raise SecretMissing(f"${name}_FILE={path}: the file is empty")
        return SecretStr(value)
    if environ.get(name):
        return SecretStr(environ[name])
    raise SecretMissing(f"没有设置环境变量 {name}，也没有 {name}_FILE")
