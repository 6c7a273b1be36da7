"""Whose certificates are believed: the system's authorities, or the office's own."""

from __future__ import annotations

import ssl


class NoAuthority(Exception):
    """The file that `ca_file` names is no certificate authority; `why` is Chinese."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def trusting(ca_file: str) -> ssl.SSLContext:
    """A verifying context; with `ca_file`, a PEM file, only its authorities. Raises NoAuthority."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError:
        raise NoAuthority("ca_file 指定的文件里没有可用的根证书（应为 PEM 格式）") from None
    except OSError as error:
        raise NoAuthority(f"读不到 ca_file 指定的根证书（{error.strerror}）") from None
