"""What the OpenAPI document says of plugins that start at their first use and do not run.

The routes of such a plugin are known only to its code. So its part of the document is kept from
its last run, under the hash of the code that ran; where that is not there, or the code is another
one by now, the endpoints that its manifest declares stand for them.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from nexus.manifest.endpoint import ApiEndpoint
from nexus.web.openapi_fragment import Fragment
from nexus.web.openapi_manifest import declared_fragment

logger = logging.getLogger(__name__)

_FORMAT: Final = "1"
Origin = Literal["last run", "manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepingPlugin:
    """A plugin that does not run and that a request may start.

    Attributes:
        name: Its name.
        folder: Where its code is.
        prefix: The path below which its routes will appear.
        endpoints: What its manifest declares.
        identity: Another object whenever its files were read anew.
    """

    name: str
    folder: Path
    prefix: str
    endpoints: Sequence[ApiEndpoint]
    identity: object


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRoutes:
    """What is said of the routes of one plugin that sleeps.

    Attributes:
        fragment: Its part of the document.
        origin: Where that is from.
        identity: That of the plugin.
        stamp: When the part was written that is kept of it; 0 where none is.
    """

    fragment: Fragment
    origin: Origin
    identity: object
    stamp: int


class SleepingRoutes:
    """Keeps the parts of plugins that start at their first use.

    Attributes:
        folder: Where they are kept; nothing is kept while it is None.
        plugins: Gives those that sleep now.
        folder_of: Gives the folder of a plugin that starts at its first use; None for others.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.plugins: Callable[[], Sequence[SleepingPlugin]] = tuple
        self.folder_of: Callable[[str], Path | None] = _nowhere
        self._told: dict[str, ToldRoutes] = {}

    # While one runs

    async def source_of(self, name: str) -> str:
        """Give the hash of the code of a plugin that starts at its first use; empty for others."""
        folder = None if self.folder is None else self.folder_of(name)
        return "" if folder is None else await asyncio.to_thread(hash_of_source, folder)

    async def keep(self, name: str, source: str, fragment: Fragment) -> None:
        """Keep what was true of a run.

        Args:
            name: The plugin's name.
            source: The hash of the code that ran.
            fragment: Its part of the document.
        """
        self._told.pop(name, None)
        if self.folder is not None and fragment.error is None:
            await asyncio.to_thread(_write, self.folder / f"{name}.json", source, fragment)

    # While they sleep

    async def load(self) -> None:
        """Find out what there is to say, without holding others up."""
        missing = self._missing()
        if missing:
            self._told.update(await asyncio.to_thread(self._read_all, missing))

    def told(self) -> dict[str, ToldRoutes]:
        """Give what there is to say, by plugin, sorted."""
        missing = self._missing()
        if missing:
            self._told.update(self._read_all(missing))
        names = sorted(each.name for each in self.plugins())
        self._told = {name: self._told[name] for name in names}
        return self._told

    def _missing(self) -> list[SleepingPlugin]:
        return [
            each
            for each in self.plugins()
            if (told := self._told.get(each.name)) is None
            or told.identity is not each.identity
            or told.stamp != self._stamp(each.name)  # another worker has run it since
        ]

    def _stamp(self, name: str) -> int:
        try:
            return 0 if self.folder is None else (self.folder / f"{name}.json").stat().st_mtime_ns
        except OSError:
            return 0

    def _read_all(self, plugins: Sequence[SleepingPlugin]) -> dict[str, ToldRoutes]:
        return {each.name: self._read(each) for each in plugins}

    def _read(self, plugin: SleepingPlugin) -> ToldRoutes:
        stamp = self._stamp(plugin.name)  # first: what is written meanwhile is read next time
        fragment = None if self.folder is None else _kept(self.folder, plugin)
        origin: Origin = "manifest" if fragment is None else "last run"
        return ToldRoutes(
            fragment=fragment or declared_fragment(plugin.name, plugin.prefix, plugin.endpoints),
            origin=origin,
            identity=plugin.identity,
            stamp=stamp,
        )


def hash_of_source(folder: Path) -> str:
    """Give the hash of a plugin's manifest and of all its Python code; empty if unreadable."""
    digest = hashlib.blake2b(_FORMAT.encode(), digest_size=16)
    try:
        for path in sorted((folder / "manifest.json", *folder.rglob("*.py"))):
            for part in (str(path.relative_to(folder)).encode(), path.read_bytes()):
                digest.update(len(part).to_bytes(8, "big") + part)
    except OSError:
        return ""
    return digest.hexdigest()


def _kept(folder: Path, plugin: SleepingPlugin) -> Fragment | None:
    try:
        found = json.loads((folder / f"{plugin.name}.json").read_bytes())
        if found["source"] != hash_of_source(plugin.folder):
            return None
        return Fragment(
            paths=found["paths"].encode(),
            components={name: text.encode() for name, text in found["components"].items()},
            webhooks=found["webhooks"].encode(),
            digest=bytes.fromhex(found["digest"]),
            shared_schemes=frozenset(found["shared_schemes"]),
        )
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return None  # never kept, or no longer whole: the manifest tells what it can


def _write(file: Path, source: str, fragment: Fragment) -> None:
    text = json.dumps(
        {
            "source": source,
            "paths": fragment.paths.decode(),
            "components": {name: part.decode() for name, part in fragment.components.items()},
            "webhooks": fragment.webhooks.decode(),
            "digest": fragment.digest.hex(),
            "shared_schemes": sorted(fragment.shared_schemes),
        }
    )
    draft = file.with_name(f"{os.urandom(8).hex()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        extra = {"path": str(file), "error": str(error)}
        logger.warning("A plugin's part of the OpenAPI document was not kept", extra=extra)


def _nowhere(_name: str) -> Path | None:
    return None
