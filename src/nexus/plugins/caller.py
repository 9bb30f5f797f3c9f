"""The application's own HTTP interface, used in the name of whoever sends a request."""

import json as json_text
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCall:
    """A request that a plugin makes to the application that it is part of.

    Attributes:
        scope: The ASGI scope of the request that it belongs to.
        method: The method.
        path: The path below the application's root, such as `/api/v1/plugins`.
        query: What stands behind the question mark.
        headers: Headers beside those that tell who the caller is; they take precedence.
        body: The body.
    """

    scope: MutableMapping[str, Any]
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAnswer:
    """An answer whose body is still to come.

    Attributes:
        status: The status.
        headers: The headers, names in lower case.
        chunks: The parts of the body as they come.
    """

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, whole.

    Attributes:
        status: The status.
        headers: The headers, names in lower case; a name may be there several times.
        body: The body.
    """

    status: int
    headers: Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - as HTTP defines it

    def json(self) -> Any:
        """Read the body as JSON; None where it is empty."""
        return json_text.loads(self.body) if self.body else None

    @property
    def detail(self) -> str:
        """Say what a problem document says, or just the status."""
        try:
            document = self.json()
        except ValueError:
            document = None
        text = document.get("detail") if isinstance(document, dict) else None
        return text if isinstance(text, str) else f"The answer was {self.status}."


class OwnInterface(Protocol):
    """Carries requests of plugins to the application that they are part of."""

    def open(self, call: OwnCall) -> AbstractAsyncContextManager[OpenAnswer]:
        """Make a request, and give the answer once its headers are there."""
        ...


class Caller:
    """Whoever sends a request, for a plugin that acts in their name and with their rights.

    Every request that it makes carries what the caller's own request said of who they are, so it
    may do what the caller may do, and the audit log has it under their name.

    Args:
        interface: Carries the requests.
        scope: The ASGI scope of the caller's request.
        headers: What goes along with every request, such as the CSRF token of a form.
    """

    def __init__(
        self,
        interface: OwnInterface,
        scope: MutableMapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._interface = interface
        self._scope = scope
        self._headers = dict(headers or {})

    async def get(self, path: str, **query: Any) -> Answer:
        """Ask for something; what is None in the query is left out."""
        return await self.request("GET", path, query=query)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> Answer:
        """Make a request, and give the whole answer.

        Args:
            method: Such as `POST`.
            path: Below the application's root, such as `/api/v1/plugins`.
            query: Parameters; what is None is left out.
            json: The body; None for no body.
        """
        async with self.open(method, path, query=query, json=json) as answer:
            body = b"".join([chunk async for chunk in answer.chunks])
            return Answer(status=answer.status, headers=answer.headers, body=body)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> AsyncIterator[OpenAnswer]:
        """Make a request, and give the answer while its body is still coming."""
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        headers = dict(self._headers)
        body = b""
        if json is not None:
            body = json_text.dumps(json).encode()
            headers["content-type"] = "application/json"
        call = OwnCall(
            scope=self._scope,
            method=method,
            path=path,
            query=urlencode(wanted, doseq=True),
            headers=headers,
            body=body,
        )
        async with self._interface.open(call) as answer:
            yield answer
