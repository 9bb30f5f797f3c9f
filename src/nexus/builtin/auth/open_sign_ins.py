"""The sign-ins of a user that are open: sessions of browsers, and families of refresh tokens."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from nexus.builtin.auth.secret_text import digest

Kind = Literal["session", "token"]
"""Whether a browser or a program has signed in."""

_SHOWN: Final = 32
"""Characters of the id under which a sign-in is shown: 128 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSignIn:
    """A sign-in that has neither ended nor expired.

    Attributes:
        kind: Whether a browser or a program has it.
        stored: Its id in the collection, which is not shown.
        begun: When it began, in seconds since 1970; None where an older version did not note it.
        used: When it was last in use, about; None as above.
        expires: When it ends, used or not.
    """

    kind: Kind
    stored: str
    begun: float | None
    used: float | None
    expires: float

    @property
    def id(self) -> str:
        """The id under which it is shown; nothing that lets anybody in can be made of it."""
        return digest(f"{self.kind} {self.stored}")[:_SHOWN]

    def shown(self, current: str | None) -> dict[str, Any]:
        """Give what its user sees of it.

        Args:
            current: The stored id of the sign-in that asks.
        """
        return {
            "id": self.id,
            "kind": self.kind,
            "begun": self.begun,
            "used": self.used,
            "expires": self.expires,
            "current": self.stored == current,
        }


async def open_ones(collection: Any, user: str, kind: Kind, now: float) -> list[OpenSignIn]:
    """Give the open sign-ins of a user in a collection, the one longest out of use first."""
    found = await collection.find({"user": user, "expires": {"$gt": now}})
    signed_in = [
        OpenSignIn(
            kind=kind,
            stored=each["_id"],
            begun=each.get("begun"),
            used=each.get("used"),
            expires=each["expires"],
        )
        for each in found
    ]
    return sorted(signed_in, key=lambda each: (each.used or 0.0, each.expires))


async def make_room(collection: Any, user: str, kind: Kind, limit: int, now: float) -> None:
    """End what is longest out of use beyond the limit; called when the new one is stored.

    So it holds for those that begin at the same time, too.
    """
    ones = await open_ones(collection, user, kind, now)
    for each in ones[: max(0, len(ones) - limit)]:
        await collection.delete(each.stored)
