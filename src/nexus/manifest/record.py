"""An object with known keys: a dataclass whose fields carry what the keys are."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from typing import Any

from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID, Shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Key:
    """What a key of the manifest is: the metadata of a model's field.

    Attributes:
        shape: The shape of its value.
        title: Its name for people.
        description: Its meaning, in one or two sentences.
        examples: Values that are valid.
    """

    shape: Shape
    title: str
    description: str
    examples: tuple[Any, ...] = ()


def key(shape: Shape, title: str, description: str, *examples: Any) -> Mapping[str, Key]:
    """Give the metadata that makes a dataclass field a key of the manifest."""
    return {"key": Key(shape=shape, title=title, description=description, examples=examples)}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Record:
    """An object with known keys, read into the dataclass whose fields are those keys.

    Attributes:
        model: The dataclass; a field that is a key carries its `Key`, and one without default is
            required. Other fields are made by the rule.
        expected: What the object should be, in words.
        rule: Judges keys against one another. It gets what was read, holes included, and the path;
            what it changes there goes into the model.
        ignored: Keys that are allowed and mean nothing to the platform.
        secret: Whether a value that is no object is left out of the report.
    """

    model: type[Any]
    expected: str
    rule: Callable[[dict[str, Any], JsonPath, Report], None] | None = None
    ignored: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secret: bool = False

    @cached_property
    def keys(self) -> dict[str, Key]:
        """The keys, by name."""
        return {
            each.name: each.metadata["key"] for each in fields(self.model) if "key" in each.metadata
        }

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the keys that must be there."""
        return tuple(
            each.name
            for each in fields(self.model)
            if each.default is MISSING and each.default_factory is MISSING
        )

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the model's instance, or report what is wrong and give `INVALID`."""
        before = report.errors
        read = self.read_keys(value, path, report)
        return INVALID if report.errors > before else self.model(**read)

    def read_keys(self, value: Any, path: JsonPath, report: Report) -> dict[str, Any]:
        """Give what each key reads as, `INVALID` where it was refused, and apply the rule."""
        if not isinstance(value, dict):
            report.mismatch(path, value, self.expected, secret=self.secret)
            return {}
        read: dict[str, Any] = {}
        for name, known in self.keys.items():
            if name in value:
                read[name] = known.shape.read(value[name], (*path, name), report)
        for name in self.required:
            if name not in value:
                expected = self.keys[name].shape.expected
                report.add((*path, name), found="nothing", expected=expected)
        if len(read) < len(value):
            self._warn_of_unknown_keys(value, path, report)
        if self.rule:
            self.rule(read, path, report)
        return read

    def _warn_of_unknown_keys(self, value: dict[str, Any], path: JsonPath, report: Report) -> None:
        for name in value:
            if name not in self.keys and name not in self.ignored:
                if report.full("warning"):
                    return
                report.unknown_key((*path, name), name, self.keys)

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the object; a key it does not know is flagged."""
        properties = {name: dict(form) for name, form in self.ignored.items()}
        for name, known in self.keys.items():
            properties[name] = {
                "title": known.title,
                "description": known.description,
                **known.shape.schema(),
            }
            if known.examples:
                properties[name]["examples"] = list(known.examples)
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**schema, "required": list(self.required)} if self.required else schema
