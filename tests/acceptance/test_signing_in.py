"""Users, from the first administrator to the page's plugin that hears of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

SEED = Path(__file__).parents[1] / "seed" / "my_awesome_plugin"
PASSWORD = "canary correct horse"
ORDERS = """
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Orders(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/all")
        async def every() -> list[str]:
            return ["tea"]

        return [router]
"""


def _application(folder: Path) -> None:
    (folder / "nexus.yaml").write_text("builtin: [auth]\n")
    shutil.copytree(SEED, folder / "plugins" / "my_awesome_plugin")
    orders = folder / "plugins" / "orders"
    orders.mkdir()
    (orders / "plugin.py").write_text(ORDERS)
    manifest = {
        "name": "orders",
        "version": "1.0.0",
        "api_endpoints": [{"method": "GET", "path": "/all", "auth": "permission:orders.read"}],
    }
    (orders / "manifest.json").write_text(json.dumps(manifest))


def _setup_token(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nexus", "auth", "setup", "--json"],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return str(json.loads(done.stdout)["token"])


def test_users_sign_in_and_plugins_know_them(tmp_path: Path, run_application: Any) -> None:
    _application(tmp_path)
    secret = {"NEXUS_PLUGINS__MY_AWESOME_PLUGIN__API_KEY": "k"}
    with run_application(tmp_path, **secret) as app:
        states = {each["name"]: each for each in app.get("/api/v1/plugins").json()["items"]}
        assert (states["auth"]["state"], states["auth"]["origin"]) == ("running", "builtin")
        token = _setup_token(tmp_path)
        with httpx.Client(base_url=app.client.base_url, timeout=60) as browser:
            assert browser.get("/plugins/orders/all").status_code == 401
            account = {"username": "ada", "password": PASSWORD}
            made = browser.post("/plugins/auth/setup", json={"token": token, **account})
            assert made.status_code == 201, made.text
            assert browser.post("/plugins/auth/login", json=account).status_code == 200
            assert browser.get("/plugins/orders/all").json() == ["tea"]
        [created] = app.events("user.created")
        assert created["data"]["user_id"] == made.json()["id"]
        everything = [app.get(path).text for path in ("/api/v1/events", "/api/v1/system")]
    told = (tmp_path / "stderr.txt").read_text()
    assert f"New user created: ada (ID: {made.json()['id']})" in told
    for text in (told, *everything):
        assert token not in text
        assert PASSWORD not in text
