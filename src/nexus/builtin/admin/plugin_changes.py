"""What operators do with a plugin on its page."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from nexus.builtin.admin.config_form import changes_of
from nexus.builtin.admin.pages import Pages
from nexus.builtin.admin.plugin_routes import plugin_page
from nexus.builtin.admin.said import Said
from nexus.builtin.admin.visitor import Visiting, Visitor
from nexus.plugins.caller import Answer

_UNPROCESSABLE: Final = 422
_SETTING: Final = "setting:"
_DONE: Final = {
    "enable": "It is enabled.",
    "disable": "It is disabled.",
    "reload": "It is reloaded.",
    "approve": "Approved.",
    "revoke": "Revoked.",
}


def change_router(pages: Pages, visiting: Visiting, route: type[APIRoute]) -> APIRouter:
    """Give the forms of a plugin's page."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.post("/plugins/rescan")
    async def rescan(visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        answer = await visitor.change("POST", "/api/v1/plugins/rescan")
        return pages.after(visitor, "plugins", _of_rescan(answer))

    @router.post("/plugins/{name}/configure")
    async def configure(name: str, visitor: Annotated[Visitor, Depends(visiting)]) -> Response:
        return await _configure(pages, visitor, name)

    @router.post("/plugins/{name}/reset/{key}")
    async def reset(
        name: str, key: str, visitor: Annotated[Visitor, Depends(visiting)]
    ) -> Response:
        answer = await visitor.change("PATCH", f"/api/v1/plugins/{name}/config", {key: None})
        said = _told(answer, f"{key} is as it would be by itself.", "configuration")
        return pages.after(visitor, f"plugins/{name}#configuration", said)

    @router.post("/plugins/{name}/{action}")
    async def act(
        name: str, action: str, visitor: Annotated[Visitor, Depends(visiting)]
    ) -> Response:
        if action not in _DONE:
            return pages.failure(visitor.request, 404, "There is nothing of this name to do.")
        return await _act(pages, visitor, name, action)

    return router


async def _act(pages: Pages, visitor: Visitor, name: str, action: str) -> Response:
    permission = visitor.form.get("permission")
    body = {"permissions": [str(permission)]} if permission else None
    answer = await visitor.change("POST", f"/api/v1/plugins/{name}/{action}", body)
    said = _told(answer, _DONE[action])
    if answer.is_success:
        plugin = answer.json()
        reason = plugin["reason"]
        said = Said(
            kind="bad" if action in {"enable", "reload"} and reason else "good",
            text=f"{_DONE[action]} {plugin['title']} is {plugin['state']}."
            f"{f' {reason}' if reason else ''}",
        )
    place = "permissions" if action in {"approve", "revoke"} else ""
    anchor = f"#{place}" if place else ""
    return pages.after(visitor, f"plugins/{name}{anchor}", replace(said, place=place))


async def _configure(pages: Pages, visitor: Visitor, name: str) -> Response:
    """Store what the form says, all or nothing; what is refused is shown beside its field."""
    address = f"/api/v1/plugins/{name}/config"
    before = await visitor.see(address)
    entries = before["items"]
    sent = {
        key.removeprefix(_SETTING): str(value)
        for key, value in visitor.form.items()
        if key.startswith(_SETTING)
    }
    changes, problems = changes_of(entries, sent)
    if not problems and not changes:
        said = Said(kind="good", text="Nothing has changed.", place="configuration")
        return pages.after(visitor, f"plugins/{name}#configuration", said)
    if not problems:
        answer = await visitor.change("PATCH", address, changes)
        if answer.is_success:
            said = _of_stored(answer, changes, before["state"])
            return pages.after(visitor, f"plugins/{name}#configuration", said)
        problems = _problems_of(answer)
    return await plugin_page(
        pages, visitor, name, sent=sent, problems=problems, status=_UNPROCESSABLE
    )


def _problems_of(answer: Answer) -> dict[str, str]:
    """Give what a refusal says, by setting; under the empty name what is about none of them."""
    document: Any = answer.json()
    expected = document.get("expected")
    return {document.get("field", ""): f"Expected {expected}." if expected else answer.detail}


def _of_stored(answer: Answer, changes: dict[str, Any], state_before: str) -> Said:
    now = answer.json()
    names = ", ".join(sorted(changes))
    text = f"Stored: {names}."
    if now["state"] == "running" and state_before != "running":
        text += " The plugin has started with it."
    elif now["state"] == "running":
        text += " A change reloads no plugin by itself; reload it if it reads its settings once."
    else:
        text += f" The plugin is {now['state']}, for the reason at the top of the page."
    return Said(kind="good", text=text, place="configuration")


def _of_rescan(answer: Answer) -> Said:
    if not answer.is_success:
        return _told(answer, "")
    new = answer.json()["items"]
    return Said(kind="good", text=f"New: {', '.join(new)}." if new else "There is nothing new.")


def _told(answer: Answer, done: str, place: str = "") -> Said:
    if answer.is_success:
        return Said(kind="good", text=done, place=place)
    return Said(kind="bad", text=answer.detail, place=place)
