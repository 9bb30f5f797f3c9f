"""What an answer of the management API says of the workers that it is of."""

from contextlib import suppress

from pydantic import BaseModel, Field

from nexus.errors import NexusError
from nexus.observability.siblings import Gathered
from nexus.plugins.operator import Operator

_THERE = frozenset({"joining", "serving"})


class Workers(BaseModel):
    """Whose memory an answer is from."""

    workers: list[str] = Field(description="The workers whose it is, the one that answers first.")
    silent: list[str] = Field(
        description="Workers of the application that have not said what they have: those that do"
        " not answer in time, and those of other machines."
    )


async def whose(found: Gathered, operator: Operator) -> dict[str, list[str]]:
    """Give the fields of `Workers`.

    Args:
        found: What the workers have said that share the address of this one.
        operator: Knows the workers of other machines as well.
    """
    silent = {name for name in found.silent.values() if name}
    with suppress(NexusError):  # while the database is away, those who have answered have
        members = await operator.workers()
        silent |= {f"{each['host']}:{each['pid']}" for each in members if each["state"] in _THERE}
    return {"workers": found.workers, "silent": sorted(silent - set(found.workers))}
