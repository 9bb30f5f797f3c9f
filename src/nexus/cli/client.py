"""Talks to a running application over its management API."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx

from nexus.cli.audited import user_name
from nexus.cli.errors import ApplicationRefused, ApplicationUnreachable, CannotWrite
from nexus.cli.server_events import ServerEvent, server_events

API: Final = "/api/v1"
_TIMEOUT: Final = httpx.Timeout(10.0, read=300.0)
"""Seconds; an answer may take as long as a plugin's start, and the application limits that."""

_LIVE: Final = httpx.Timeout(10.0, read=15.0)
"""Seconds; an application that lives says so at once, unless something holds its event loop."""

_HELD: Final = (
    "it takes connections and does not answer. A plugin may be holding its event loop: the"
    " application's log names the plugin, the file and the line. 'nexus run --safe-mode' starts"
    " without it"
)

_LISTENING: Final = httpx.Timeout(10.0, read=60.0)
"""Seconds; a stream on which nothing happens says so four times a minute."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come, and with all that will where that is known."""


class ManagementClient:
    """The management API of one application.

    Args:
        url: Where the application is.
        token: The management token, None to send none.
        local: Whether it is on this machine, so that no proxy must be asked.

    Raises:
        ApplicationUnreachable: The address is no address.
    """

    def __init__(self, url: str, token: str | None, *, local: bool) -> None:
        self.url = url.rstrip("/")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if local and (user := user_name()).isascii():
            headers["X-Nexus-Cli-User"] = user
        try:
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=_TIMEOUT, trust_env=not local
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ApplicationUnreachable(url=self.url, problem=str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def answers(self) -> bool:
        """Tell whether anybody listens at the address.

        Raises:
            ApplicationUnreachable: Somebody does, and does not answer in time.
        """
        try:
            with self._reaching():
                answer = self._http.get("/health/live", timeout=_LIVE)
                return answer.status_code == httpx.codes.OK
        except ApplicationUnreachable as error:
            if isinstance(error.__cause__, httpx.ConnectError):
                return False
            if isinstance(error.__cause__, httpx.ReadTimeout):
                raise ApplicationUnreachable(url=self.url, problem=_HELD) from error
            raise

    def get(self, path: str, **query: Any) -> Any:
        """Read something below `/api/v1`; what is None is left out of the query."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{API}{path}?{httpx.QueryParams(given)}" if given else API + path)

    def of_plugin(self, name: str, path: str) -> Any:
        """Read something that a plugin serves."""
        return self._call("GET", f"/plugins/{name}{path}")

    def post(self, path: str, document: Any = None) -> Any:
        """Have something done."""
        return self._call("POST", API + path, document)

    def put(self, path: str, document: Any) -> Any:
        """Put something in place."""
        return self._call("PUT", API + path, document)

    def delete(self, path: str) -> Any:
        """Remove something, and read what the answer tells of it."""
        return self._call("DELETE", API + path)

    def patch(self, path: str, document: Any) -> Any:
        """Change something."""
        return self._call("PATCH", API + path, document)

    def health(self) -> Any:
        """Read `/health`; an unhealthy application's answer is an answer too."""
        with self._reaching():
            answer = self._http.get("/health")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "status" in _document(answer):
            return _document(answer)
        return _checked(answer)

    def metrics(self) -> str:
        """Read `/metrics`.

        Raises:
            ApplicationUnreachable: What answers has none.
        """
        with self._reaching():
            answer = self._http.get("/metrics")
        if not answer.is_success or "# TYPE nexus_" not in answer.text:
            problem = "/metrics does not answer with the figures of a Nexus application"
            raise ApplicationUnreachable(url=self.url, problem=problem)
        return answer.text

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Have a file made and write it to a new file; gives its size in bytes.

        Raises:
            CannotWrite: The file cannot be written.
        """
        size = 0
        with self._reaching(), self._http.stream("POST", API + path) as answer:
            if answer.is_error:
                answer.read()
                _checked(answer)
            total = answer.headers.get("Content-Length")
            try:
                with open(target, "xb", opener=_owner_only) as stream:
                    for block in answer.iter_bytes(1 << 16):
                        stream.write(block)
                        size += len(block)
                        progress(size, int(total) if total else None)
            except OSError as error:
                raise CannotWrite(path=str(target), problem=error.strerror or str(error)) from error
        return size

    def receive(self, path: str, write: Callable[[bytes], None]) -> None:
        """Read something that is long, piece by piece."""
        with self._reaching(), self._http.stream("GET", API + path) as answer:
            if answer.is_error:
                answer.read()
                _checked(answer)
            for block in answer.iter_bytes():
                write(block)

    def listen(self, path: str, **query: Any) -> Iterator[ServerEvent]:
        """Read server-sent events until the application ends them.

        The first one is a remark, which says that nothing from now on is missed.
        """
        given = httpx.QueryParams({name: value for name, value in query.items() if value})
        reaching = self._http.stream("GET", f"{API}{path}?{given}", timeout=_LISTENING)
        with self._reaching(), reaching as answer:
            if answer.is_error:
                answer.read()
                _checked(answer)
            yield from server_events(answer.iter_lines())

    def _call(self, method: str, path: str, document: Any = None) -> Any:
        with self._reaching():
            answer = self._http.request(method, path, json=document)
        return _checked(answer)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.InvalidURL as error:
            raise ApplicationUnreachable(url=self.url, problem=str(error)) from error
        except httpx.HTTPError as error:
            problem = str(error) or type(error).__name__
            raise ApplicationUnreachable(url=self.url, problem=problem) from error


def _owner_only(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        try:
            return answer.json()
        except ValueError:
            url = str(answer.request.url)
            problem = "the answer is no JSON, so this is no Nexus application"
            raise ApplicationUnreachable(url=url, problem=problem) from None
    document = _document(answer)
    raise ApplicationRefused(
        status=answer.status_code,
        problem=str(document.get("code", "")),
        detail=str(document.get("detail") or f"The application answered {answer.status_code}."),
    )


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
