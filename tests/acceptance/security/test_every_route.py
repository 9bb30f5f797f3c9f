"""Every route of the OpenAPI document, asked all that the document allows and what it does not.

Each question is asked by a stranger, by a user without a role and by an administrator. None may
bring a 5xx about, and none may open what is closed to who asks.
"""

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

PLUGIN = """
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from nexus.plugins import BasePlugin
from nexus.security import User, require_user


class Note(BaseModel):
    text: Annotated[str, Field(max_length=100)]
    weight: float = 1.0


class Notes(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/open")
        async def everybody(word: str = "", number: int = 0) -> dict[str, str]:
            return {"word": word}

        @router.post("/mine")
        async def mine(note: Note, user: Annotated[User, Depends(require_user)]) -> Note:
            return note

        @router.put("/all/{key}")
        async def every(key: str, note: Note) -> Note:
            await self.db.collection("notes").upsert({"key": key}, {"key": key, "text": note.text})
            return note

        return [router]

    def get_database_schema(self):
        return {"collections": {"notes": {"indexes": [{"field": "key", "unique": True}]}}}
"""
MANIFEST = {
    "name": "notes",
    "version": "1.0.0",
    "permissions": ["database.read", "database.write"],
    "configuration": {
        "size": {"type": "integer", "default": 3, "max": 9},
        "pin": {"type": "string", "secret": True},
    },
    "api_endpoints": [
        {"method": "GET", "path": "/open", "auth": "public"},
        {"method": "POST", "path": "/mine", "auth": "user"},
        {"method": "PUT", "path": "/all/{key}", "auth": "permission:notes.write"},
    ],
}
PASSWORD = "correct horse battery"
EXAMPLES = int(os.environ.get("NEXUS_TEST_EXAMPLES", "3"))
"""How many questions of a kind a route is asked; the first three are always the same."""
NAMED = ("notes", "nobody", "auth")
CLOSED_TO_USERS = (
    "/api/v1/",
    "/plugins/auth/users",
    "/plugins/auth/roles",
    "/plugins/auth/groups",
    "/plugins/auth/signing-keys",
    "/plugins/notes/all",
)
"""Below these a user without a role may do nothing."""
FOR_BOTH = ("/plugins/auth/logout",)
"""Who is signed in is signed out; who is not, stays so."""
ONCE = ("/rotate",)
"""A second new signing key would end the tokens with which the questions are asked."""
ENDLESS = ("/events/stream", "/logs/stream")
MALFORMED = {400, 404, 405, 429}
"""What everybody may be told of an address that is none, or of asking too often."""


@dataclass(kw_only=True)
class Asked:
    """Who asks, and what was seen of the answers."""

    url: str
    headers: dict[str, dict[str, str]]
    http: httpx.Client
    findings: dict[str, str] = field(default_factory=dict)
    count: int = 0
    successes: set[str] = field(default_factory=set)

    def ask(self, case: Any, who: str) -> httpx.Response:
        """Send a question as somebody."""
        wanted = case.as_transport_kwargs(base_url=self.url)
        given = {
            name: value
            for name, value in (wanted.get("headers") or {}).items()
            if name.lower() not in {"authorization", "cookie"} and value.isascii()
        }
        body = {name: wanted[name] for name in ("json", "data") if wanted.get(name) is not None}
        if isinstance(body.get("data"), (bytes, str)):
            body = {"content": body["data"]}
        self.count += 1
        return self.http.request(
            wanted["method"],
            wanted["url"],
            params=wanted.get("params"),
            headers={**given, **self.headers[who]},
            **body,
        )

    def judge(self, case: Any, who: str, answer: httpx.Response) -> None:
        """Note what may not be."""
        status, path = answer.status_code, case.operation.path
        place = f"{who}: {case.operation.method.upper()} {path}"
        if status >= 500:
            self.findings[f"{place}: {status}"] = answer.text[:300]
        if status < 400:
            self.successes.add(place)
        if status >= 400 and answer.headers["content-type"] != "application/problem+json":
            self.findings[f"{place}: {status} is no problem document"] = answer.text[:300]
        if not _is_secured(case.operation):
            return
        if who == "stranger" and status != 401 and status not in MALFORMED:
            self.findings[f"{place}: {status} without a sign-in"] = answer.text[:300]
        closed = path.startswith(CLOSED_TO_USERS)
        if who == "user" and closed and status != 403 and status not in MALFORMED:
            self.findings[f"{place}: {status} without a permission"] = answer.text[:300]


def _is_secured(operation: Any) -> bool:
    return bool(operation.definition.raw.get("security")) and operation.path not in FOR_BOTH


@pytest.fixture
def asked(tmp_path: Path, run_application: Any) -> Iterator[Asked]:
    """Run the application, with an administrator and a user."""
    (tmp_path / "nexus.yaml").write_text("builtin: [auth]\n")
    notes = tmp_path / "plugins" / "notes"
    notes.mkdir(parents=True)
    (notes / "plugin.py").write_text(PLUGIN)
    (notes / "manifest.json").write_text(json.dumps(MANIFEST))
    environment = {
        "NEXUS_PLUGINS__AUTH__SETUP_TOKEN": "a one-time token of the owner",
        "NEXUS_LOGGING__ACCESS": "false",
    }
    with run_application(tmp_path, **environment) as app:
        url = str(app.client.base_url).rstrip("/")
        with httpx.Client(base_url=url, timeout=60) as http:
            root = {"username": "root", "password": PASSWORD}
            setup = {"token": environment["NEXUS_PLUGINS__AUTH__SETUP_TOKEN"], **root}
            assert http.post("/plugins/auth/setup", json=setup).status_code == 201
            administrator = _bearer(http, root)
            user = {"username": "ann", "password": PASSWORD}
            made = http.post("/plugins/auth/users", json=user, headers=administrator)
            assert made.status_code == 201, made.text
            headers = {"stranger": {}, "user": _bearer(http, user), "administrator": administrator}
            yield Asked(url=url, headers=headers, http=http)


def _bearer(http: httpx.Client, account: dict[str, str]) -> dict[str, str]:
    answer = http.post("/plugins/auth/token", data=account)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_no_question_brings_a_defect_about_or_opens_what_is_closed(asked: Asked) -> None:
    document = asked.http.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    found: list[Any] = list(schema.get_all_operations())
    operations = [each.ok() for each in found]
    assert len(operations) > 70
    for operation in operations:
        _ask_all(asked, operation, GenerationMode.POSITIVE)
        if not operation.path.endswith(ONCE):
            _ask_all(asked, operation, GenerationMode.NEGATIVE)
    assert not asked.findings, json.dumps(asked.findings, indent=1)
    # The questions have come to what they are for, and not ended at the door.
    reached = {place for place in asked.successes if place.startswith("administrator")}
    assert len(reached) > len(operations) * 0.6, sorted(reached)
    assert asked.http.get("/health/ready").status_code == 200


def _ask_all(asked: Asked, operation: Any, mode: GenerationMode) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @given(case=strategy, name=st.sampled_from(NAMED))
    @settings(
        max_examples=1 if operation.path.endswith(ONCE) else EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, name: str) -> None:
        if mode is GenerationMode.POSITIVE:
            for parameter in {"name", "plugin"} & set(case.path_parameters or {}):
                case.path_parameters[parameter] = name
        for who in asked.headers:
            if who == "administrator" and operation.path.endswith(ENDLESS):
                continue
            asked.judge(case, who, asked.ask(case, who))
            if who == "administrator":
                _put_right(asked, operation.path)

    # A route that takes nothing cannot be asked wrongly.
    with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
        ask()


def _put_right(asked: Asked, path: str) -> None:
    """Undo what would keep later questions away from the plugins."""
    if path.endswith("/maintenance"):
        call = ("PUT", "/api/v1/system/maintenance", {"on": False})
    elif path.endswith(("/disable", "/revoke")):
        for name in ("auth", "notes"):
            token = {"Authorization": "Bearer a-token-for-the-acceptance-tests"}
            for action in ("approve", "enable"):
                asked.http.post(f"/api/v1/plugins/{name}/{action}", json={}, headers=token)
        return
    else:
        return
    method, url, body = call
    asked.http.request(method, url, json=body, headers=asked.headers["administrator"])
