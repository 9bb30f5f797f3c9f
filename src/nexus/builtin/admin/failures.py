"""What a page ends in when it cannot be shown."""


class PageFailure(Exception):
    """The page cannot be shown, and another one says why.

    Args:
        status: The HTTP status.
        detail: Why, for the person who looks at it.
    """

    def __init__(self, *, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Redirect(Exception):
    """The browser goes elsewhere.

    Args:
        to: Where.
    """

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to
