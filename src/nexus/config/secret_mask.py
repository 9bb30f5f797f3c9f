"""Keeps the plain text of secrets out of logs and tracebacks."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

MASK: Final = "********"
_SHORTEST: Final = 4
"""Shorter secrets are not looked for: masking every "1" would garble the log and tell the value."""
_FEW: Final = 50
"""So many secrets are faster looked for one after another."""
_STEP: Final = 8
"""Of a line, every eighth character begins a piece that is looked up."""
_NESTED: Final = 3
"""How often a secret is looked for as quoted: a JSON line may hold the `repr` of a `repr`."""
_QUOTED: Final[Sequence[Callable[[str], str]]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: repr("\"'" + text)[4:-1],  # as inside a text that has both quotes
)


def masked(value: object) -> str | None:
    """Give what is shown in place of a secret: the mask, or None where there is no value."""
    return None if value is None else MASK


class SecretMask:
    """The secrets that the process knows, and how to take them out of a text.

    A secret is also found as JSON and `repr` write it, one inside the other too, as a URL writes
    it, and a secret of several lines line by line.

    Args:
        values: The first ones, added as by `add`.
    """

    def __init__(self, *values: Any) -> None:
        self._texts: set[str] = set()
        self._longest_first: Sequence[str] = ()
        self._short: Sequence[str] = ()
        self._by_piece: Mapping[str, Collection[str]] = {}
        self._stale = False
        for value in values:
            self.add(value)

    def add(self, value: Any) -> None:
        """Mask this value from now on; of a list or a mapping, everything inside."""
        waiting = [value]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                waiting.extend(part.values())
            elif isinstance(part, list):
                waiting.extend(part)
            elif isinstance(part, str):
                self._add_text(part)
            elif part is not None and not isinstance(part, bool):
                self._add_text(repr(part))

    def apply(self, text: str) -> str:
        """Give the text with every known secret masked."""
        if self._stale:
            self._sort()
        for secret in self._candidates(text):
            text = text.replace(secret, MASK)
        return text

    def _sort(self) -> None:
        known = len(self._texts)
        # The longest first: one secret may contain another.
        self._longest_first = sorted(self._texts, key=len, reverse=True)
        by_piece: dict[str, set[str]] = {}
        short = []
        for secret in self._longest_first:
            if len(secret) < _SHORTEST + _STEP - 1:
                short.append(secret)
                continue
            for at in range(_STEP):
                by_piece.setdefault(secret[at : at + _SHORTEST], set()).add(secret)
        self._short = short
        self._by_piece = by_piece
        self._stale = len(self._texts) > known  # another thread may have added one meanwhile

    def _candidates(self, text: str) -> Sequence[str]:
        if len(self._longest_first) <= _FEW:
            return self._longest_first
        # With hundreds of plugins there are thousands. Wherever a secret stands in the line, one of
        # the pieces that are looked up lies inside it, so a line costs the same for any number.
        by_piece = self._by_piece
        pieces = {text[at : at + _SHORTEST] for at in range(0, len(text) - _SHORTEST + 1, _STEP)}
        found = by_piece.keys() & pieces
        if not found:
            return self._short
        longer = {secret for piece in found for secret in by_piece[piece]}
        return [*sorted(longer, key=len, reverse=True), *self._short]

    def _add_text(self, text: str) -> None:
        if text in self._texts:
            return
        plain = [text, *text.splitlines()]
        forms = {quote(part, safe="", errors="replace") for part in plain}
        latest = set(plain)
        for _ in range(_NESTED):
            forms |= latest
            latest = {form(part) for form in _QUOTED for part in latest} - forms
        forms |= latest
        new = {form.strip() for form in forms if len(form.strip()) >= _SHORTEST} - self._texts
        if new:
            self._texts |= new
            self._stale = True
