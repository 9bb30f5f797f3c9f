"""Documents as callers give them: with or without the two fields that are not theirs."""

from typing import Any

from nexus.data.collections.identifier import check_id, make_id
from nexus.errors import InvalidDocument


def new_document(document: Any) -> tuple[str, Any]:
    """Take a document that is to be added apart into its id and the rest.

    Raises:
        InvalidDocument: It has a `_version`.
        InvalidDocumentId: Its `_id` cannot be one.
    """
    if type(document) is not dict:
        return "", document  # which is refused when it is encoded
    if "_version" in document:
        raise InvalidDocument(
            path="$._version",
            found="a field of the platform",
            hint="It counts the changes of a stored document; leave it out of a new one.",
        )
    if "_id" not in document:
        return make_id(), document
    body = document.copy()
    return check_id(body.pop("_id")), body


def replacement(document_id: str, document: Any) -> Any:
    """Give a document that takes the place of another without its `_id` and `_version`.

    Raises:
        InvalidDocument: It has the `_id` of another one.
    """
    if type(document) is not dict:
        return document
    if document.get("_id", document_id) != document_id:
        raise InvalidDocument(
            path="$._id",
            found=f"not the _id of the document that is replaced, {document_id!r}",
            hint="Leave it out, or insert the document as a new one.",
        )
    return {key: value for key, value in document.items() if key not in ("_id", "_version")}
