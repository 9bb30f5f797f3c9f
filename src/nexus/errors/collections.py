"""Errors about document collections."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from nexus.errors.base import NexusError, did_you_mean
from nexus.errors.data import NotJson, ValueTooLarge


def _shown(value: object) -> str:
    text = ascii(value)
    return f"{text[:59]}…" if len(text) > 60 else text  # noqa: PLR2004  a line of a message


def _field_names(fields: Sequence[str]) -> str:
    return ", ".join(fields)


class InvalidCollectionSchema(NexusError):
    """What a plugin declares as its collections has problems, all of which are told."""

    code = "invalid-collection-schema"

    def __init__(self, *, problems: Sequence[Any]) -> None:
        super().__init__(problems=tuple(problems))

    @override
    def render(self) -> str:
        problems = self.data["problems"]
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem.render()}" for problem in problems)
        return f"The collections of get_database_schema() have {count}:{lines}"


class CollectionNotFound(NexusError):
    """A plugin asked for a collection that it does not declare."""

    code = "collection-not-found"

    def __init__(self, *, collection: object, declared: Sequence[str]) -> None:
        super().__init__(collection=collection, declared=tuple(declared))

    @override
    def render(self) -> str:
        name, declared = self.data["collection"], self.data["declared"]
        known = f"Declared are {', '.join(declared)}." if declared else "None is declared."
        guess = did_you_mean(name[:64], declared) if isinstance(name, str) else ""
        return (
            f"There is no collection {_shown(name)}.{guess} {known} Add it to 'collections' in"
            " get_database_schema()."
        )


class InvalidDocument(NotJson):
    """A document has a part that a collection cannot keep."""

    code = "invalid-document"

    @override
    def render(self) -> str:
        return (
            f"The document cannot be stored: {self.data['path']!s:.200} is {self.data['found']}."
            f" {self.data['hint']} Nothing was stored."
        )


class DocumentTooLarge(ValueTooLarge):
    """A document is larger than a collection takes."""

    code = "document-too-large"

    @override
    def render(self) -> str:
        size = "more" if self.data["size"] is None else f"{self.data['size']} bytes"
        return (
            f"The document takes {size} as JSON; a document has at most {self.data['limit']} bytes."
            " Nothing was stored. Split it over several documents, or keep a file and store its"
            " path."
        )


class IndexedValueTooLong(NexusError):
    """A document has a value that is too long for an index."""

    code = "indexed-value-too-long"

    def __init__(
        self,
        *,
        collection: str,
        fields: Sequence[str],
        size: int,
        limit: int,
        id: str | None,  # noqa: A002
    ) -> None:
        super().__init__(collection=collection, fields=tuple(fields), size=size, limit=limit, id=id)

    @override
    def render(self) -> str:
        whose = "" if self.data["id"] is None else f" of document {self.data['id']!r}"
        return (
            f"The value{whose} in {self.data['collection']!r} takes {self.data['size']} bytes in"
            f" the index on {_field_names(self.data['fields'])}, which has room for"
            f" {self.data['limit']}. Nothing was stored. Index a shorter field, a hash of the text"
            " for one."
        )


class InvalidDocumentId(NexusError):
    """An `_id` is not a text that every database takes."""

    code = "invalid-document-id"

    def __init__(self, *, id: object, limit: int) -> None:  # noqa: A002
        super().__init__(id=id, limit=limit)

    @override
    def render(self) -> str:
        return (
            f"{_shown(self.data['id'])} cannot be the _id of a document. An _id is a str of 1 to"
            f" {self.data['limit']} characters, without NUL and without lone surrogates."
        )


class InvalidFilter(NexusError):
    """A filter says something that collections do not understand."""

    code = "invalid-filter"

    def __init__(self, *, path: str, found: str, expected: str, nearest: str | None = None) -> None:
        super().__init__(path=path, found=found, expected=expected, nearest=nearest)

    @override
    def render(self) -> str:
        close = self.data["nearest"]
        guess = f". Did you mean {close!r}?" if close else "."
        return (
            f"The filter cannot be used: {self.data['path']} is {self.data['found']}; expected"
            f" {self.data['expected']}{guess}"
        )


class InvalidQuery(NexusError):
    """An argument about the order, the number or the fields of results cannot be used."""

    code = "invalid-query"

    def __init__(self, *, argument: str, found: str, expected: str) -> None:
        super().__init__(argument=argument, found=found, expected=expected)

    @override
    def render(self) -> str:
        return (
            f"The query cannot be run: {self.data['argument']} is {self.data['found']}; expected"
            f" {self.data['expected']}."
        )


class InvalidChange(NexusError):
    """What is to be changed in a document cannot be changed so."""

    code = "invalid-change"

    def __init__(self, *, path: str, problem: str) -> None:
        super().__init__(path=path, problem=problem)

    @override
    def render(self) -> str:
        return f"{self.data['path']} cannot be changed: {self.data['problem']} Nothing was changed."


class DuplicateKey(NexusError):
    """A unique index has the value already."""

    code = "duplicate-key"

    def __init__(self, *, collection: str, index: Sequence[str], value: Sequence[Any]) -> None:
        super().__init__(collection=collection, index=tuple(index), value=tuple(value))

    @override
    def render(self) -> str:
        pairs = ", ".join(
            f"{field} = {_shown(value)}"
            for field, value in zip(self.data["index"], self.data["value"], strict=False)
        )
        return (
            f"Collection {self.data['collection']!r} has a document with"
            f" {pairs or _field_names(self.data['index'])} already, and that is unique. Nothing"
            " was stored. Use another value, or update the document that is there."
        )


class IndexNotUnique(NexusError):
    """A unique index cannot be made, since documents share a value."""

    code = "index-not-unique"

    def __init__(
        self, *, collection: str, index: Sequence[str], value: Sequence[Any], ids: Sequence[str]
    ) -> None:
        super().__init__(
            collection=collection, index=tuple(index), value=tuple(value), ids=tuple(ids)
        )

    @override
    def render(self) -> str:
        pairs = ", ".join(
            f"{field} = {_shown(value)}"
            for field, value in zip(self.data["index"], self.data["value"], strict=True)
        )
        return (
            f"The unique index on {_field_names(self.data['index'])} of collection"
            f" {self.data['collection']!r} cannot be complete: the documents"
            f" {' and '.join(self.data['ids'])} both have {pairs}. No document was"
            " changed. Change one of them, or declare the index without 'unique'."
        )


class VersionConflict(NexusError):
    """A document is not the version that a change was meant for."""

    code = "version-conflict"

    def __init__(
        self,
        *,
        collection: str,
        id: str | None,  # noqa: A002
        expected: int,
        found: int | None,
    ) -> None:
        super().__init__(collection=collection, id=id, expected=expected, found=found)

    @override
    def render(self) -> str:
        name = "that was to change" if self.data["id"] is None else repr(self.data["id"])
        found = self.data["found"]
        now = "is not there" if found is None else f"has version {found}"
        return (
            f"The document {name} in {self.data['collection']!r} {now}; the change was meant for"
            f" version {self.data['expected']}. Nothing was changed. Read it again, and decide"
            " anew."
        )


class AmbiguousUpsert(NexusError):
    """An upsert matches several documents."""

    code = "ambiguous-upsert"

    def __init__(self, *, collection: str, ids: Sequence[str]) -> None:
        super().__init__(collection=collection, ids=tuple(ids))

    @override
    def render(self) -> str:
        return (
            f"More than one document in {self.data['collection']!r} matches, such as"
            f" {' and '.join(self.data['ids'])}, and upsert() changes one. Nothing was changed."
            " Name more fields, declare a unique index on them, or use update()."
        )


class NotACollection(NexusError):
    """A table that a collection needs is something else."""

    code = "not-a-collection"

    def __init__(self, *, collection: str, table: str) -> None:
        super().__init__(collection=collection, table=table)

    @override
    def render(self) -> str:
        return (
            f"Collection {self.data['collection']!r} needs the table {self.data['table']}, and that"
            " is there with other columns. Rename the collection, or the model with this name."
        )
