"""What an event carries: JSON data that its many readers share and none can change.

One event goes to every subscription, and a copy for each of them would cost more than the
delivery. So publishing copies the data once, into a `dict` and `list` that refuse changes: the
publisher's own objects stay apart, and a handler that tries to change what others read gets an
error that tells it to take a copy. Reading is that of a plain `dict`, at its speed.
"""

import math
from collections.abc import Mapping
from types import NoneType
from typing import Any, NoReturn

from typing_extensions import override

from nexus.errors import EventDataInvalid, EventDataReadOnly

MAX_DEPTH = 100
"""How deep data may be nested; a structure that contains itself ends here too."""

ATOMS = frozenset({str, int, bool, NoneType})
"""The types of values that are read-only and JSON in themselves."""


class _ReadOnly:
    """Refuses every method that would change a list or a dictionary."""

    __slots__ = ()
    storing_hint = "It is an event's, which nobody can change; store copy.deepcopy(event.data)."

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise EventDataReadOnly

    __setitem__ = __delitem__ = __ior__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = remove = sort = reverse = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> Any:
        return self.copy()  # type: ignore[attr-defined]  # list and dict have it

    def __deepcopy__(self, _memo: dict[int, Any]) -> Any:
        return plain(self)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled data is a copy, hence the reader's own.
        kind = dict if isinstance(self, dict) else list
        return kind, (kind(self),)  # type: ignore[call-overload]  # it is one of the two


class EventData(_ReadOnly, dict[str, Any]):
    """A read-only `dict`; `dict(data)` or `copy.deepcopy(data)` gives one to change."""

    __slots__ = ()


class EventList(_ReadOnly, list[Any]):
    """A read-only `list` inside an event's data."""

    __slots__ = ()


EMPTY = EventData()


def freeze(data: Mapping[str, Any] | None) -> EventData:
    """Copy JSON data into its read-only form.

    Args:
        data: A mapping with string keys; its values are JSON (strings, finite numbers, booleans,
            None, lists or tuples, mappings). None stands for an empty one.

    Raises:
        EventDataInvalid: If something in it is not JSON; the error has the JSON path.
    """
    if isinstance(data, EventData):
        return data  # Forwarded as it is, since nobody can change it.
    if data is None:
        return EMPTY
    if not isinstance(data, Mapping):
        raise EventDataInvalid(path="$", found=type(data).__name__, expected="a mapping or None")
    frozen: EventData = _walk(data, "$", 0, EventData, EventList)
    return frozen


def plain(data: Any) -> Any:
    """Copy JSON data, frozen or not, into plain dictionaries and lists.

    Raises:
        EventDataInvalid: If something in it is not JSON.
    """
    return _walk(data, "$", 0, dict, list)


def _walk(value: Any, path: str, depth: int, mapping: Any, sequence: Any) -> Any:
    if depth > MAX_DEPTH:
        raise EventDataInvalid(
            path=path, found="deeper nesting", expected=f"at most {MAX_DEPTH} levels"
        )
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise EventDataInvalid(path=path, found=repr(value), expected="a finite number")
        return value
    if isinstance(value, Mapping):
        return mapping(_walk_items(value, path, depth, mapping, sequence))
    if isinstance(value, (list, tuple)):
        return sequence(
            [
                _walk(item, f"{path}[{index}]", depth + 1, mapping, sequence)
                for index, item in enumerate(value)
            ]
        )
    raise EventDataInvalid(path=path, found=type(value).__name__, expected="a JSON value")


def _walk_items(
    value: Mapping[Any, Any], path: str, depth: int, mapping: Any, sequence: Any
) -> dict[str, Any]:
    items = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise EventDataInvalid(
                path=path, found=f"a key of type {type(key).__name__}", expected="string keys"
            )
        items[key] = _walk(item, f"{path}.{key}", depth + 1, mapping, sequence)
    return items
