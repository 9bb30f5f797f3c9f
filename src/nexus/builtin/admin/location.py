"""Where a browser is sent, as a header can carry it."""

from typing import Final
from urllib.parse import quote

_KEPT: Final = "/?=&#%;:@+,"
"""What parts an address, and what has been quoted already."""


def location(address: str) -> str:
    """Give an address as the header `Location` has it, with all else than ASCII quoted.

    Args:
        address: The path, and its query and fragment if it has any.
    """
    return quote(address, safe=_KEPT)
