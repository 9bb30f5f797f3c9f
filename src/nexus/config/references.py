"""References in nexus.yaml to what is better kept elsewhere: `${env:NAME}` and `${file:PATH}`.

Only the operator's own file has them. What the management API stores and what plugins bring is
taken as it stands, so that nobody reads files of the machine by way of a setting.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nexus.errors import nearest

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(env|file):([^{}]*)\}|\$\{")
_SCHEME: Final = re.compile(r"([A-Za-z_]\w*):")
_SCHEMES: Final = ("env", "file")
_LARGEST: Final = 64 * 1024

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenReference:
    """A reference to something that is not there.

    Attributes:
        place: The setting.
        found: The reference and what is wrong with it.
        expected: What it is to be.
        nearest: The closest kind of reference that there is, None when nothing is close.
    """

    place: Place
    found: str
    expected: str
    nearest: str | None = None


class _BrokenError(Exception):
    def __init__(self, found: str, expected: str, nearest: str | None = None) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.nearest = nearest


@dataclass(slots=True, kw_only=True)
class References:
    """Replaces the references in a document.

    Attributes:
        environ: The environment.
        root: The folder that paths are relative to.
        places: Where references stood.
        contents: What files held: secrets, or they would stand in nexus.yaml itself.
        broken: What could not be replaced.
    """

    environ: Mapping[str, str]
    root: Path
    places: set[Place] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    broken: list[BrokenReference] = field(default_factory=list)

    def replaced(self, value: Any, place: Place = ()) -> Any:
        """Give a copy of a value with its references replaced; a broken one stays as it is."""
        if isinstance(value, dict):
            return {key: self.replaced(part, (*place, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [self.replaced(part, (*place, at)) for at, part in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return "".join(self._parts(value, place))
        except _BrokenError as error:
            self.broken.append(
                BrokenReference(
                    place=place,
                    found=error.found,
                    expected=error.expected,
                    nearest=error.nearest,
                )
            )
            return value

    def covers(self, place: Place) -> bool:
        """Tell whether what stands at a place came from a reference, all of it or a part."""
        return any(place[: len(each)] == each for each in self.places)

    def _parts(self, text: str, place: Place) -> Iterator[str]:
        at = 0
        for found in _REFERENCE.finditer(text):
            yield text[at : found.start()]
            at = found.end()
            if found[0] == "$${":
                yield "${"
                continue
            if found[1] is None:
                raise _unknown(text[at:])
            self.places.add(place)
            yield self._variable(found[2]) if found[1] == "env" else self._file(found[2])
        yield text[at:]

    def _variable(self, name: str) -> str:
        value = self.environ.get(name)
        if value is None:
            raise _BrokenError(
                f"${{env:{name}}}, and no such variable", "a variable of the environment"
            )
        return value

    def _file(self, name: str) -> str:
        path = self.root / name
        try:
            with path.open("rb") as stream:
                data = stream.read(_LARGEST + 1)
            text = data.decode()
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise _BrokenError(
                f"${{file:{name}}}, which cannot be read ({problem})", "a file with a text"
            ) from None
        except ValueError:  # no UTF-8, or no path
            raise _BrokenError(
                f"${{file:{name}}}, which is no text in UTF-8", "a file with a text"
            ) from None
        if len(data) > _LARGEST:
            raise _BrokenError(
                f"${{file:{name}}}, which is larger than {_LARGEST} bytes", "a file with a text"
            )
        # Editors and echo end a file with a line break, which is no part of a secret.
        text = text.removesuffix("\n").removesuffix("\r")
        self.contents.add(text)
        return text


def _unknown(rest: str) -> _BrokenError:
    """Tell of a `${` that begins no reference.

    Args:
        rest: What follows it; only a scheme of it is shown, since it may be a part of a secret.
    """
    expected = "${env:NAME} or ${file:PATH}, or $${ for a plain ${"
    scheme = _SCHEME.match(rest)
    if scheme is None:
        return _BrokenError("a ${ that begins no reference", expected)
    if scheme[1] in _SCHEMES:
        return _BrokenError(f"a ${{{scheme[0]} without its end", expected)
    close = nearest(scheme[1], _SCHEMES)
    return _BrokenError(
        f"${{{scheme[0]}...}}, which is no kind of reference",
        expected,
        close and f"${{{close}:...}}",
    )
