"""What the next page says of a change: kept by the browser until it is shown."""

import json
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

from fastapi import Request, Response

_COOKIE: Final = "nexus_admin_said"
_LONGEST: Final = 1200
_SECONDS: Final = 60

Kind = Literal["good", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence or two about what has been done.

    Attributes:
        kind: Whether it was done.
        text: The words.
        place: The section of the page that they stand in; at its top when empty.
    """

    kind: Kind
    text: str
    place: str = ""

    def keep(self, response: Response, base: str) -> None:
        """Have the browser keep it until a page shows it."""
        value = quote(json.dumps([self.kind, self.text[:_LONGEST], self.place]))
        response.set_cookie(
            _COOKIE, value, max_age=_SECONDS, path=base, httponly=True, samesite="strict"
        )

    def forget(self, response: Response, base: str) -> None:
        """Have the browser forget it, since it is shown."""
        response.delete_cookie(_COOKIE, path=base, httponly=True, samesite="strict")


def said_to(request: Request) -> Said | None:
    """Give what the browser has kept for this page."""
    try:
        kind, text, place = json.loads(unquote(request.cookies.get(_COOKIE, "null")))
    except (ValueError, TypeError):
        return None
    return Said(kind="good" if kind == "good" else "bad", text=str(text), place=str(place))
