"""The application as its files and its database have it, where nothing runs."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from nexus.audit import Change
from nexus.cli.audited import audit_log, cli_actor
from nexus.cli.running import while_stopped
from nexus.config import PluginConfiguration, Settings, StoredValues
from nexus.config.secret_rotation import SecretRotation
from nexus.config.secret_storage import secret_box_of, secret_rotation_of
from nexus.config.storage import database_of
from nexus.data import KeyValueStore, MemoryKeyValueStore, SqlKeyValueStore
from nexus.data.database import Database
from nexus.errors import PluginHasNoSettings, PluginNotFound
from nexus.plugins.discovery import DiscoveredPlugin, discover
from nexus.plugins.manager import NAMESPACE
from nexus.plugins.plan import Plan, make_plan
from nexus.plugins.quarantine import QuarantineList
from nexus.plugins.state import PluginState
from nexus.plugins.verdict import why_disabled
from nexus.security import Grants
from nexus.security.grants import grant_by

WOULD_START = "It starts with the application."
_NOT_TO_STORE = "The application was not opened to store anything."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A plugin that does not run since nothing does, and what would become of it.

    Attributes:
        found: The plugin as it was found.
        configuration: Its configuration, None when its manifest is invalid.
        enabled: Whether it is to run.
        grants: What it asks to be allowed, and what was said of it.
        state: `stopped` when it would start, else the state that it would rest in.
        reason: Why, as a sentence.
    """

    found: DiscoveredPlugin
    configuration: PluginConfiguration | None
    enabled: bool
    grants: Sequence[Mapping[str, Any]]
    state: PluginState
    reason: str


class StoredApplication:
    """Reads and changes what the application will find at its next start.

    Args:
        settings: The application's settings.
        store: What it has stored.
        database: Where that is; None where there is none yet and nothing is to be stored.
    """

    def __init__(
        self, settings: Settings, store: KeyValueStore, database: Database | None = None
    ) -> None:
        self.settings = settings
        self.store = store
        self.database = database
        self._grants = Grants(store, automatic=settings.grants_by_itself)
        self._box = secret_box_of(settings)
        self._values = StoredValues(
            store, self._box, nullcontext if database is None else database.transaction
        )

    async def outlooks(self) -> tuple[list[Outlook], Plan]:
        """Judge all plugins as the application would at its start, without importing any."""
        found = discover(self.settings.plugin_folders)
        wishes: Mapping[str, Any] = await self.store.items(NAMESPACE)
        configurations = {each.name: await self._configuration(each) for each in found}
        told = {name: wish["enabled"] for name, wish in wishes.items() if _tells(wish)}
        for each in found:
            if each.manifest is not None:
                await self._grants.read(each.name, each.manifest.permissions)
        enabled = {each.name: self._enabled(each.name, told.get(each.name)) for each in found}
        plan = make_plan(
            {each.name: each.manifest for each in found if each.manifest is not None},
            invalid=[each.name for each in found if each.manifest is None],
            disabled=[name for name, wanted in enabled.items() if not wanted],
            unready={
                each.name: _unready(each, configurations[each.name], self._grants) for each in found
            },
        )
        quarantine = QuarantineList(self.store)
        await quarantine.read()
        return [
            _outlook(
                each,
                configurations[each.name],
                plan,
                enabled=enabled[each.name],
                grants=self._grants.shown(each.name, self._grants.asked(each.name)),
                told=each.name in told,
                quarantined=await quarantine.reason(each),
            )
            for each in found
        ], plan

    async def outlook(self, name: str) -> Outlook:
        """Judge one plugin.

        Raises:
            PluginNotFound: There is no such plugin.
        """
        outlooks, _ = await self.outlooks()
        for each in outlooks:
            if each.found.name == name:
                return each
        raise PluginNotFound(name=name, known=[each.found.name for each in outlooks])

    async def set_enabled(self, name: str, *, enabled: bool) -> Outlook:
        """Store whether a plugin is to run.

        Raises:
            PluginNotFound: There is no such plugin.
        """
        before = await self.outlook(name)
        action = "plugin.enable" if enabled else "plugin.disable"
        async with self.changing(action, name) as change:
            await self.store.set(NAMESPACE, name, {"enabled": enabled})
            lifted = await QuarantineList(self.store).lift(name)
            quarantined = {"quarantined": True} if lifted else {}
            change.before = {"enabled": before.enabled, **quarantined}
            change.after = {"enabled": enabled}
        return await self.outlook(name)

    async def grant(self, name: str, permissions: Sequence[str], *, granted: bool) -> Outlook:
        """Approve permissions of a plugin, or revoke them.

        Args:
            name: The plugin.
            permissions: Those that are meant; none for all that it makes a difference to.
            granted: Whether they are approved.

        Raises:
            PluginNotFound: There is no such plugin.
            PermissionNotAsked: Its manifest does not ask for one of them.
        """
        await self.outlook(name)
        meant = self._grants.chosen(name, permissions, granted=granted)
        action = "permission.approve" if granted else "permission.revoke"
        async with self.changing(action, name) as change:
            change.before = {each: self._grants.has(name, each) for each in meant}
            await self._grants.put(name, meant, grant_by(cli_actor().name, granted=granted))
            change.after = dict.fromkeys(meant, granted)
        return await self.outlook(name)

    async def set_value(self, name: str, key: str, value: Any) -> Outlook:
        """Store a setting of a plugin, or with None remove what is stored.

        Raises:
            PluginNotFound: There is no such plugin.
            PluginHasNoSettings: Its manifest cannot be read.
            ConfigValueRefused: The value does not fit what the manifest declares.
            ConfigKeyFixed: An environment variable fixes the setting.
        """
        outlook = await self.outlook(name)
        if outlook.configuration is None:
            raise PluginHasNoSettings(plugin=name, reason=outlook.reason)
        async with self.changing("plugin.configure", name) as change:
            done = await outlook.configuration.set_many({key: value})
            change.before = {each.key: each.old for each in done}
            change.after = {each.key: each.new for each in done}
        return await self.outlook(name)

    def secret_rotation(self) -> SecretRotation:
        """Give what exchanges the key of the secrets; the application was opened to store."""
        if self.database is None or not isinstance(self.store, SqlKeyValueStore):
            raise RuntimeError(_NOT_TO_STORE)
        return secret_rotation_of(self.settings, self.database, self.store, self._box)

    @asynccontextmanager
    async def changing(self, action: str, plugin: str = "") -> AsyncIterator[Change]:
        """Change what is stored, and record it in the audit log: both of it or none.

        Args:
            action: What is done.
            plugin: Which plugin it concerns.
        """
        if self.database is None:
            raise RuntimeError(_NOT_TO_STORE)
        log = await audit_log(self.database)
        async with self.database.transaction():
            change = Change()
            yield change
            await log.write(
                action, plugin=plugin, before=change.before, after=change.after, actor=cli_actor()
            )

    def _enabled(self, name: str, told: Any) -> bool:
        # The same rule as the plugin manager's and the application's.
        if told is not None:
            return bool(told)
        startup = self.settings.startup
        return startup.enable == "all" or name in startup.plugins

    async def _configuration(self, found: DiscoveredPlugin) -> PluginConfiguration | None:
        if found.manifest is None:
            return None
        configuration = PluginConfiguration(
            found.name,
            fields=found.manifest.configuration,
            folder=found.folder,
            environment=self.settings.environment,
            application_values=self.settings.plugins.get(found.name, {}),
            environ=os.environ,
            store=self._values,
        )
        await configuration.load()
        return configuration


@asynccontextmanager
async def stored_application(
    settings: Settings, *, write: bool = False
) -> AsyncIterator[StoredApplication]:
    """Open what the application has stored.

    Args:
        settings: The application's settings.
        write: Whether something will be stored, so that a missing database is made.

    Raises:
        DatabaseUnavailable: The database cannot be opened.
        DatabaseInUse: Something is to be stored, and another process uses the database.
    """
    async with AsyncExitStack() as stack:
        path = settings.database_path
        if write and path is not None and not settings.database.shared:
            stack.enter_context(while_stopped(path))
        store: KeyValueStore = MemoryKeyValueStore()
        database = None
        if write or path is None or path.exists():
            database = await stack.enter_async_context(opened_database(settings))
            store = SqlKeyValueStore(database, max_bytes=settings.database.value_limit)
        yield StoredApplication(settings, store, database)


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the application's database without the application.

    Raises:
        DatabaseUnavailable: It cannot be opened.
        DatabaseDriverMissing: The driver for its kind is not installed.
    """
    database = database_of(settings)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def _unready(
    found: DiscoveredPlugin, configuration: PluginConfiguration | None, grants: Grants
) -> str:
    problems = [] if configuration is None else configuration.problems()
    blocking = [problem.message for problem in problems if problem.blocking]
    waiting = "" if found.manifest is None else grants.waiting(found.manifest)
    return " ".join(filter(None, [*blocking, waiting]))


def _tells(wish: Any) -> bool:
    return isinstance(wish, Mapping) and wish.get("enabled") is not None


def _outlook(
    found: DiscoveredPlugin,
    configuration: PluginConfiguration | None,
    plan: Plan,
    *,
    enabled: bool,
    told: bool,
    quarantined: str | None,
    grants: Sequence[Mapping[str, Any]],
) -> Outlook:
    state, reason = PluginState.STOPPED, WOULD_START
    if found.manifest is None:
        problems = "; ".join(str(problem) for problem in found.errors)
        state, reason = PluginState.INVALID, f"Its manifest is invalid: {problems}."
    elif not enabled:
        state, reason = PluginState.DISABLED, why_disabled(found.name, told=told)
    elif found.name in plan.blocked:
        state, reason = PluginState.BLOCKED, plan.blocked[found.name]
    elif quarantined is not None:
        state, reason = PluginState.QUARANTINED, quarantined
    return Outlook(
        found=found,
        configuration=configuration,
        enabled=enabled,
        grants=grants,
        state=state,
        reason=reason,
    )


def list_view(outlook: Outlook) -> dict[str, Any]:
    """Show a plugin as the management API shows it in a list."""
    manifest = outlook.found.manifest
    return {
        "name": outlook.found.name,
        "version": manifest.version if manifest else "",
        "title": (manifest.title if manifest else "") or outlook.found.name,
        "description": manifest.description if manifest else "",
        "category": manifest.category if manifest else "",
        "state": str(outlook.state),
        "reason": outlook.reason,
        "since": None,
        "generation": 0,
        "enabled": outlook.enabled,
        "origin": str(outlook.found.origin),
        "problems": [str(problem) for problem in outlook.found.problems],
    }


def detail_view(outlook: Outlook) -> dict[str, Any]:
    """Show all of a plugin as the management API does."""
    manifest = outlook.found.manifest
    return {
        **list_view(outlook),
        "author": manifest.author if manifest else "",
        "license": manifest.license if manifest else "",
        "tags": list(manifest.tags) if manifest else [],
        "folder": str(outlook.found.folder),
        "prefix": (manifest.mount if manifest else "") or f"/plugins/{outlook.found.name}",
        "dependencies": [each.text for each in manifest.dependencies] if manifest else [],
        "permissions": list(manifest.permissions) if manifest else [],
        "grants": list(outlook.grants),
        "endpoints": [
            {"method": each.method, "path": each.path, "description": each.description}
            for each in (manifest.api_endpoints if manifest else ())
        ],
        "routes": [],
        "publishes": list(manifest.events.publishes) if manifest else [],
        "subscribes": list(manifest.events.subscribes) if manifest else [],
        "live": {},
    }


def config_view(outlook: Outlook) -> list[dict[str, Any]]:
    """Show a plugin's settings as the management API does, secrets masked."""
    entries: Sequence[Any] = outlook.configuration.entries() if outlook.configuration else ()
    return [
        {
            "key": entry.key,
            "value": entry.value,
            "source": entry.source,
            "declared": entry.declared,
            "required": entry.required,
            "secret": entry.secret,
            "problem": entry.problem,
        }
        for entry in entries
    ]
