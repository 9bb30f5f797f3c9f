"""The pages of dead letters: what nobody could handle, to be tried again or dropped."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.said import Said
from nexus.builtin.admin.visitor import Visiting, Visitor
from nexus.plugins.caller import Answer

_DEAD: Final = "/api/v1/events/dead"
_SHOWN: Final = 100


def dead_letter_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the pages below `/events/dead`."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.get("/events/dead")
    async def dead(
        visitor: Annotated[Visitor, Depends(visiting)],
        subscription: Annotated[str, Query(max_length=400)] = "",
    ) -> Response:
        found = await visitor.see(_DEAD, subscription=subscription or None, limit=_SHOWN + 1)
        letters = found["items"]
        return pages.show(
            visitor,
            "dead",
            current="events",
            tab="dead",
            letters=letters[:_SHOWN],
            has_more=len(letters) > _SHOWN,
            subscription=subscription,
        )

    @router.get("/events/dead/{letter_id}")
    async def letter(letter_id: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        found = await visitor.see(f"{_DEAD}/{letter_id}")
        return pages.show(visitor, "dead_letter", current="events", tab="dead", letter=found)

    @router.post("/events/dead")
    async def deal(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        is_drop = visitor.form.get("action") == "drop"
        choice = _choice(visitor.form)
        if choice is None:
            said = Said(kind="bad", text="Nothing was chosen.")
            return pages.after(visitor, "events/dead", said)
        if is_drop and not visitor.form.get("sure"):
            return _asked(pages, visitor, choice)
        answer = await visitor.change("POST", f"{_DEAD}/{'drop' if is_drop else 'replay'}", choice)
        return pages.after(visitor, "events/dead", _outcome(answer, is_drop=is_drop))

    return router


def _asked(pages: Pages, visitor: Visitor, choice: dict[str, Any]) -> Response:
    """Ask whether what is chosen is to be dropped, which cannot be undone."""
    return pages.show(
        visitor,
        "dead_drop",
        current="events",
        choice=choice,
        number=len(choice.get("ids", ())),
    )


def _choice(form: Any) -> dict[str, Any] | None:
    """Give what the form means: all of a subscription, or those that are marked."""
    if subscription := str(form.get("subscription", "")):
        return {"subscription": subscription}
    ids = [str(each) for each in form.getlist("id")]
    return {"ids": ids} if ids else None


def _outcome(answer: Answer, *, is_drop: bool) -> Said:
    if not answer.is_success:
        return Said(kind="bad", text=answer.detail)
    came = answer.json()
    done = came["done"]
    many = "letter" if done == 1 else "letters"
    how = "dropped" if is_drop else "handed to the handler again"
    text = f"{done} {many} {how}."
    if came["refused"]:
        reasons = "; ".join(sorted({each["detail"] for each in came["refused"]}))
        text += f" {len(came['refused'])} stayed as they were: {reasons}"
    return Said(kind="bad" if came["refused"] else "good", text=text)
