"""Whether an object has what a `Protocol` class asks for."""

from typing import Any

from typing_extensions import get_protocol_members, is_protocol


def members_of(protocol: type[Any]) -> frozenset[str]:
    """Give the names that `protocol` asks for.

    Raises:
        TypeError: `protocol` is a class, but not a `typing.Protocol`.
    """
    if not is_protocol(protocol):
        message = (
            f"{protocol.__qualname__} is not a typing.Protocol. Look a service up by its name,"
            " or by a Protocol class that lists the methods you need."
        )
        raise TypeError(message)
    return get_protocol_members(protocol)


def fits(service: object, members: frozenset[str]) -> bool:
    """Tell whether `service` has every name in `members`."""
    return all(hasattr(service, member) for member in members)
