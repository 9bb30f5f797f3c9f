"""Which passwords are taken: long enough, not common, and more than names that everybody knows.

The rules are those of NIST SP 800-63B and OWASP ASVS 5.0, 6.2. Nothing is sent out for them, so no
corpus of breached passwords is asked.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import HTTPException

from nexus.plugins import BasePlugin

_COMMON: Final = Path(__file__).with_name("common_passwords.txt.gz")
_SHORTEST_WORD: Final = 4
"""Shorter words stand in too many passwords by chance."""

_REST: Final = 8
"""How many characters a password has at least beside the words of its context."""


async def check_password(plugin: BasePlugin, password: str, context: Iterable[str | None]) -> None:
    """Refuse a password that is too short or easy to guess.

    Args:
        plugin: Whose settings tell the length and further words.
        password: The password.
        context: What somebody would try first: names of the application and of the user.

    Raises:
        HTTPException: It is; 422.
    """
    shortest: int = await plugin.get_config("password_length")
    if len(password) < shortest:
        raise HTTPException(422, f"A password has at least {shortest} characters.")
    if _folded(password) in _common():
        raise HTTPException(422, "This password is one of the most common ones. Choose another.")
    words: list[str] = await plugin.get_config("password_words")
    if _is_little_more_than(password, [*words, *filter(None, context)]):
        raise HTTPException(
            422,
            "This password is little more than a name that others know, of the application or of"
            f" the user. Choose one with at least {_REST} further characters.",
        )


@cache
def _common() -> frozenset[str]:
    return frozenset(gzip.decompress(_COMMON.read_bytes()).decode().split())


def _is_little_more_than(password: str, context: Iterable[str]) -> bool:
    words = {word for text in context for word in re.findall(r"[^\W_]+", _folded(text))}
    rest = whole = _folded(password)
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _SHORTEST_WORD:
            rest = rest.replace(word, "")
    return rest != whole and len(rest) < _REST


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
