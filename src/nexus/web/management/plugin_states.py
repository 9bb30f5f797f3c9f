"""How plugins are in other workers than the one that answers."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from nexus.observability.siblings import Gathered, Params
from nexus.plugins.controller import PluginController
from nexus.web.management.context import ManagementContext

_STATES: Final = "plugins"


class Elsewhere(BaseModel):
    """How a plugin is in another worker."""

    worker: str
    state: str = Field(description="Empty where that worker does not know the plugin.")
    reason: str


def share_states(context: ManagementContext) -> None:
    """Have the workers tell each other how their plugins are."""

    async def answer(params: Params) -> dict[str, list[str]]:
        wanted = params.get("name")
        return {
            each.name: [str(each.status.state), reason_of(each)]
            for each in context.manager.controllers()
            if wanted in {None, each.name}
        }

    context.siblings.answers[_STATES] = answer


async def states(context: ManagementContext, name: str | None = None) -> Gathered:
    """Ask all workers how their plugins are, or one plugin."""
    params = {} if name is None else {"name": name}
    return await context.siblings.gather(_STATES, params)


def differences(found: Gathered) -> Mapping[str, list[Elsewhere]]:
    """Give how plugins are in the others where that is not as it is in the first worker."""
    own: Mapping[str, Any] = found.told[0].value
    differing: defaultdict[str, list[Elsewhere]] = defaultdict(list)
    for each in found.told[1:]:
        for name, here in own.items():
            there = each.value.get(name, ["", ""])
            if there != here:
                state, reason = there
                differing[name].append(Elsewhere(worker=each.worker, state=state, reason=reason))
    return differing


def reason_of(controller: PluginController) -> str:
    """Say why a plugin is in its state, or that its circuit is open."""
    live = controller.live
    return controller.status.reason or (live.trouble if live is not None else "")
