"""What a password must be, and how it is kept: argon2id, with as much work as the desk affords."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

Policy = Literal["mlps", "modern"]

LONGEST = 256  #: characters; more would only be work for an attacker to give us
RENEWED = timedelta(days=90)  #: 等保 asks for regular change
_SHORTEST = {"mlps": 8, "modern": 12}
_CLASSES = (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9]")
_WORDS = (
    "password passw0rd admin administrator root user guest test tinglan qwerty qwertyuiop "
    "asdfgh asdfghjkl zxcvbn zxcvbnm abc abcd abcdef letmein welcome iloveyou monkey dragon "
    "master login changeme default secret super oracle huawei qaz qazwsx wsx edc woaini "
    "a1b2c3 p@ssw0rd p@ssword zhongguo beijing weather qixiang yingji zhiban yuqing "
)
_COMMON = frozenset(_WORDS.split())


class BadPassword(Exception):
    """It may not be used; the text says why, in Chinese, and never repeats it."""


class Passwords:
    """Hashes and compares, two at a time: each takes 64 MiB and a fifth of a second."""

    def __init__(self, hasher: PasswordHasher | None = None, *, policy: Policy = "mlps") -> None:
        self.policy = policy
        self._hasher = hasher or PasswordHasher()
        self._room = threading.Semaphore(2)

    @cached_property
    def _nobody(self) -> str:
        """Nobody's password. Made at the first login, whoever comes: not while starting."""
        return self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        with self._room:
            return self._hasher.hash(_kept(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """For an unknown account (`stored` None) it takes as long, and is False."""
        with self._room:
            nobody = self._nobody
            try:
                return self._hasher.verify(stored or nobody, _kept(password)) and bool(stored)
            except (VerificationError, InvalidHashError):
                return False

    def judge(self, password: str, *, account: str) -> None:
        """Raises BadPassword."""
        shortest = _SHORTEST[self.policy]
        if len(password) < shortest:
            raise BadPassword(f"口令至少 {shortest} 个字符")
        if len(password) > LONGEST:
            raise BadPassword(f"口令最多 {LONGEST} 个字符")
        kinds = sum(bool(re.search(one, password)) for one in _CLASSES)
        if self.policy == "mlps" and kinds < 3:
            raise BadPassword("口令须含大写字母、小写字母、数字、其他字符中的三类")
        plain = _kept(password).casefold()
        if len(account) >= 3 and account in plain:
            raise BadPassword("口令不能包含账号")
        bare = re.sub(r"^[^a-z]+|[^a-z]+$", "", plain)
        if bare in _COMMON or re.sub(r"[\d\W_]+", "", plain) in _COMMON or len(set(plain)) < 5:
            raise BadPassword("口令过于常见，请换一个")

    def is_old(self, since: datetime, now: datetime) -> bool:
        return self.policy == "mlps" and now - since > RENEWED

    def invent(self) -> str:
        """One for the first login of an account; passes either policy."""
        letters = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        while True:
            made = "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(3))
            try:
                self.judge(made, account="")
            except BadPassword:
                continue
            return made


def _kept(password: str) -> str:
    """The same characters whatever keyboard made them; nothing is cut off."""
    return unicodedata.normalize("NFC", password[: LONGEST + 1])
