"""YAML files that hold JSON values.

Of YAML's types only those of JSON are read: a date stays text, and neither `12:30` nor `0o17`
turns into a number. A key that is given twice is an error, where YAML libraries take the last one.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from nexus.data.json_text import MAX_DEPTH, check_json
from nexus.errors import InvalidYaml, NotJson, ValueTooLarge

MAX_BYTES: Final = 1024 * 1024
_TOO_DEEP: Final = f"values nest at most {MAX_DEPTH} levels deep"
_LONGEST_PATH: Final = 80
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_NUMBER: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file.

    Returns:
        The mapping, empty for an empty file.

    Raises:
        FileNotFoundError: There is no such file.
        InvalidYaml: The file cannot be read, is no YAML, or holds something else than a mapping of
            JSON values; the error has line and column where they are known.
    """
    text = _read_text(path)
    import yaml

    try:
        _check_events(text)
        value = yaml.load(text, Loader=_loader_class())  # noqa: S506  a safe loader of our own
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidYaml(
            path=str(path),
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
            problem=_problem(error),
        ) from error
    except yaml.YAMLError as error:
        raise _invalid(path, str(error).splitlines()[0]) from error
    except ValueError:
        raise _invalid(path, "a number has thousands of digits") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(path, "it must be a mapping, with lines such as 'key: value'")
    try:
        check_json(value, max_bytes=MAX_BYTES)
    except NotJson as error:
        place = error.path if len(error.path) <= _LONGEST_PATH else f"{error.path[:_LONGEST_PATH]}…"
        problem = f"{place} is {error.found}, and only JSON values can be used"
        raise _invalid(path, problem) from error
    except ValueTooLarge as error:
        raise _invalid(path, "its aliases make it too large") from error
    return value


def line_of(path: Path, keys: Sequence[str | int]) -> int | None:
    """Give the line of a value in a file that `read_yaml` has read, None when it is not there."""
    import yaml

    node = yaml.compose(_read_text(path), Loader=_loader_class())
    line = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == key]
            if not found:
                return line
            line = found[0][0].start_mark.line + 1
            node = found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def _check_events(text: str) -> None:
    """Refuse tags, and what is nested too deeply: composing it recurses without a limit in C.

    Parsing into events does not recurse.
    """
    import yaml

    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_loader_class()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _at(event, _TOO_DEEP)
        if getattr(event, "tag", None) is not None:
            raise _at(event, f"the tag {event.tag!r:.60} is not used here")


def _problem(error: Any) -> str:
    problem: str = error.problem or error.context or "it is no YAML"
    # PyYAML 6.0.4 has a limit of its own, which a line of brackets meets before any event comes.
    return _TOO_DEEP if "maximum nesting depth" in problem else problem


def _at(found: Any, problem: str) -> Exception:
    import yaml

    return yaml.MarkedYAMLError(problem=problem, problem_mark=found.start_mark)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _invalid(path, f"it cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise _invalid(path, f"it is larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(path, f"byte {error.start} is not UTF-8") from error


def _invalid(path: Path, problem: str) -> InvalidYaml:
    return InvalidYaml(path=str(path), line=None, column=None, problem=problem)


@cache
def _loader_class() -> Any:
    import yaml

    # libyaml is ten times faster, and an application has a file or two a plugin.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # its base is known at run time only
        """YAML without the types that JSON lacks."""

        yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own name
            first: [
                pair for pair in pairs if pair[0].rsplit(":", 1)[1] in {"bool", "null", "merge"}
            ]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            seen: set[str] = set()
            for key_node, _ in node.value:
                if key_node.tag != "tag:yaml.org,2002:str":
                    raise _at(key_node, "a key must be text; put it in quotes")
                if key_node.value in seen:
                    raise _at(key_node, f"the key {key_node.value!r:.60} is given twice")
                seen.add(key_node.value)
            mapping: dict[str, Any] = super().construct_mapping(node, deep=deep)
            return mapping

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789."))
    return Loader
