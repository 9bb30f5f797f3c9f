"""What a plugin says of itself, as data that JSON can carry, whatever it put in."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from nexus.config import MASK
from nexus.data.json_text import MAX_BYTES, MAX_DEPTH

_MOST_PARTS: Final = MAX_BYTES // 2
"""No stored value has more; a list that is there many times over could fill the memory."""

_LEFT_OUT: Final = "..."


def presentable(value: Any, mask: Callable[[str], str] = str) -> Any:
    """Copy a value into plain JSON data; what JSON does not know becomes text.

    What is inside itself, or nested deeper than a stored value may be, becomes "...".

    Args:
        value: Anything.
        mask: Applied to every text, keys too, to take secrets out; a number becomes the mask
            when its text is a secret.
    """
    return _Copying(mask).copy(value)


def finite(figures: object) -> dict[str, float]:
    """Copy figures by name, as far as they are finite numbers."""
    if not isinstance(figures, Mapping):
        return {}
    return {
        str(name): float(value)
        for name, value in figures.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


class _Copying:
    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._around: set[int] = set()
        self._left = _MOST_PARTS

    def copy(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return self._number(value)
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._container(value)
        return self._text(value)

    def _container(self, value: Any) -> Any:
        self._left -= len(value)
        if id(value) in self._around or self._left < 0 or (value and self._is_deepest()):
            return _LEFT_OUT
        self._around.add(id(value))
        try:
            if isinstance(value, Mapping):
                return {self._text(name): self.copy(part) for name, part in value.items()}
            return [self.copy(part) for part in value]
        finally:
            self._around.discard(id(value))

    def _is_deepest(self) -> bool:
        return len(self._around) >= MAX_DEPTH

    def _number(self, value: float) -> Any:
        try:
            text = (int if isinstance(value, int) else float).__repr__(value)
        except ValueError:  # an integer of thousands of digits, which JSON's encoder refuses too
            return f"<{type(value).__name__} that cannot be shown>"
        if self._mask(text) == MASK:
            return MASK
        return value if isinstance(value, int) or math.isfinite(value) else text

    def _text(self, value: object) -> str:
        return self._mask(_text(value)).encode("utf-8", "replace").decode()


def _text(value: object) -> str:
    try:
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    except Exception as error:  # noqa: BLE001 - the border of the plugin's code
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return str(text)
