"""What the settings make of OpenTelemetry."""

import sys
from pathlib import Path

import pytest

from nexus.app.tracing import _provider, traced
from nexus.config import load_settings
from nexus.data import SqliteDatabase, SqliteFile
from nexus.errors import TracingExtraMissing
from nexus.observability import tracing


def test_a_provider_is_made_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    wanted = {"endpoint": "http://127.0.0.1:1/", "sample": 0.25}
    settings = load_settings(tmp_path, environ={}, overrides={"name": "Shop", "tracing": wanted})
    provider = _provider(settings)
    assert provider.resource.attributes["service.name"] == "Shop"
    assert "0.25" in provider.sampler.get_description()
    provider.shutdown()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-outside")
    provider = _provider(settings)
    assert provider.resource.attributes["service.name"] == "from-outside"
    provider.shutdown()


async def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = load_settings(tmp_path, environ={}, overrides={"tracing": {"enabled": True}})
    database = SqliteDatabase(SqliteFile(path=tmp_path / "no.db"))
    with pytest.raises(TracingExtraMissing, match="extra 'otel'"):
        async with traced(settings, database):
            pass
    assert tracing.active is None
