"""A page that a plugin contributes to the admin pages."""

from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPage:
    """An entry of the menu of the admin pages, and what it opens.

    Attributes:
        title: What the menu says, at most 40 characters.
        path: The path of a GET route of the plugin's own, below its prefix, that answers with HTML;
            such as `/report`. It is asked in the name of whoever looks at the page.
        permission: What a user must be allowed to do to see the entry; empty for everybody who may
            see the admin pages. The route guards itself.

    Raises:
        ValueError: The title or the path is none.
    """

    title: str
    path: str
    permission: str = ""

    def __post_init__(self) -> None:
        if not self.title.strip() or len(self.title) > _LONGEST or not self.title.isprintable():
            message = f"title is {self.title!r}; expected 1 to {_LONGEST} printable characters"
            raise ValueError(message)
        if not self.path.startswith("/") or not self.path.isprintable() or "?" in self.path:
            message = f"path is {self.path!r}; expected the path of a route, such as '/report'"
            raise ValueError(message)
