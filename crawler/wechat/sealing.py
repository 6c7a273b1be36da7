"""How WeChat signs and encrypts what it pushes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_LENGTH = 43  #: characters of an EncodingAESKey
_BLOCK = 32  #: bytes; the padding goes up to 32, not to the 16 of AES
_HEAD = 20  #: bytes before the message: 16 random ones and its length


class Unsealed(ValueError):
    """A push that is not what WeChat would send to this account; says nothing about why."""


def signature(*parts: str) -> str:
    """The hex SHA-1 of the parts, sorted and joined: WeChat's own rule."""
    joined = "".join(sorted(parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def signed(given: str, *parts: str) -> bool:
    """Whether a signature is right, told in constant time."""
    return hmac.compare_digest(signature(*parts).encode(), given.encode("utf-8", "replace"))


def aes_key(encoded: str) -> bytes:
    """The 32 bytes of an EncodingAESKey. Raises ValueError without showing it."""
    try:
        key = base64.b64decode(f"{encoded}=", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(encoded) != KEY_LENGTH or len(key) != _BLOCK:
        raise ValueError(f"EncodingAESKey: expected {KEY_LENGTH} letters and digits")
    return key


def unseal(key: bytes, app_id: str, text: str) -> bytes:
    """The message in an Encrypt element. Raises Unsealed."""
    try:
        cipher = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unsealed from None
    if not cipher or len(cipher) % _BLOCK:
        raise Unsealed
    opener = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    padded = opener.update(cipher) + opener.finalize()
    pad = padded[-1]
    if not 1 <= pad <= _BLOCK or padded[-pad:] != bytes([pad]) * pad:
        raise Unsealed
    plain = padded[:-pad]
    length = int.from_bytes(plain[16:_HEAD], "big")
    message, owner = plain[_HEAD : _HEAD + length], plain[_HEAD + length :]
    if len(message) != length or not hmac.compare_digest(owner, app_id.encode()):
        raise Unsealed
    return message


def seal(key: bytes, app_id: str, message: bytes) -> str:
    """What WeChat would put into an Encrypt element; the stand-in pushes with it."""
    plain = os.urandom(16) + len(message).to_bytes(4, "big") + message + app_id.encode()
    pad = _BLOCK - len(plain) % _BLOCK
    sealer = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(sealer.update(plain + bytes([pad]) * pad) + sealer.finalize()).decode(
        "ascii"
    )
