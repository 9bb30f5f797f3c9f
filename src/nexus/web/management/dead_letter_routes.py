"""Dead letters in the management API: those in memory and those in the event log."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nexus.audit import Change
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext
from nexus.web.management.dead_letter_desk import DeadLetterDesk, Dealt
from nexus.web.management.event_views import EventList
from nexus.web.management.subscription_name import SubscriptionName

_MOST = 1000
_TOLD = 100
"""At most so many ids stand in one row of the audit log."""


class Choice(BaseModel):
    """Which dead letters are meant: some by their ids, or all of one subscription."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[str], Field(min_length=1, max_length=_MOST)] | None = None
    subscription: SubscriptionName | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.ids is None) is (self.subscription is None):
            message = "Expected either ids or a subscription."
            raise ValueError(message)
        return self


class Refused(BaseModel):
    """A dead letter that stayed as it was, or is not there."""

    id: str
    code: str
    detail: str


class Outcome(BaseModel):
    """What became of the dead letters that were chosen."""

    done: int = Field(description="With how many of them it was done.")
    refused: list[Refused]


def dead_letter_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/events/dead`."""
    router = APIRouter(prefix="/dead", route_class=closed_route(context.tokens))
    desk = DeadLetterDesk(context.bus)

    @router.get("", summary="Show the events that no handler could take")
    async def dead(
        plugin: Annotated[str | None, Query(description="The plugin that subscribed")] = None,
        subscription: Annotated[SubscriptionName | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    ) -> EventList:
        return EventList(items=list(await desk.list(plugin, subscription, limit)))

    @router.post("/replay", status_code=202, summary="Have several handled again")
    async def replay_several(choice: Choice) -> Outcome:
        return await _dealt(context, desk, choice, retry=True)

    @router.post("/drop", summary="Drop several for good")
    async def drop_several(choice: Choice) -> Outcome:
        return await _dealt(context, desk, choice, retry=False)

    @router.get("/{letter_id}", summary="Show one of them")
    async def show(letter_id: str) -> dict[str, Any]:
        return await desk.show(letter_id)

    @router.post("/{letter_id}/replay", status_code=202, summary="Have it handled again")
    async def replay(letter_id: str) -> dict[str, Any]:
        letter = await desk.show(letter_id)
        async with _one(context, "dead_letter.replay", letter):
            _raise_refusal(await desk.replay([letter_id]))
        event: dict[str, Any] = letter["event"]
        return event

    @router.delete("/{letter_id}", status_code=204, summary="Drop it for good")
    async def drop(letter_id: str) -> None:
        async with _one(context, "dead_letter.drop", await desk.show(letter_id)):
            _raise_refusal(await desk.drop([letter_id]))

    return router


async def _dealt(
    context: ManagementContext, desk: DeadLetterDesk, choice: Choice, *, retry: bool
) -> Outcome:
    ids = await desk.chosen(choice.ids, choice.subscription)
    named = {"subscription": choice.subscription, "letters": len(ids), "ids": ids[:_TOLD]}
    action = "dead_letter.replay" if retry else "dead_letter.drop"
    async with context.audit.change(action, before=named, irreversible=True) as change:
        came = await (desk.replay(ids) if retry else desk.drop(ids))
        change.after = {"done": came.done, "refused": len(came.refused)}
    return _outcome(came)


def _one(
    context: ManagementContext, action: str, letter: Mapping[str, Any]
) -> AbstractAsyncContextManager[Change]:
    named = {
        "id": letter["id"],
        "subscription": letter["subscription"],
        "event": letter["event"]["id"],
    }
    return context.audit.change(action, plugin=letter["owner"], before=named, irreversible=True)


def _raise_refusal(dealt: Dealt) -> None:
    for error in dealt.refused.values():
        raise error


def _outcome(dealt: Dealt) -> Outcome:
    refused = [
        Refused(id=letter, code=error.code, detail=error.render())
        for letter, error in dealt.refused.items()
    ]
    return Outcome(done=dealt.done, refused=refused)
