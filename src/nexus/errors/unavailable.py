"""The root of the errors about what is needed and away."""

from typing import ClassVar

from nexus.errors.base import NexusError


class Unavailable(NexusError):
    """A server or a file that the application needs cannot be reached.

    `passing` tells whether that may be over without anybody changing anything here.
    """

    code = "unavailable"
    what: ClassVar[str] = "A server"
    """What cannot be reached, as a sentence begins with it."""
