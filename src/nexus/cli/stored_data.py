"""What plugins have stored, in the database of an application that does not run."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from nexus.cli.running import sole_user, while_stopped
from nexus.cli.stored import opened_database
from nexus.config import Settings
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database
from nexus.errors import BackupRefused, PluginNotFound
from nexus.plugins.discovery import DiscoveredPlugin, discover
from nexus.transfer import Inventory, Source, purge_plugin, source_of, take_inventory
from nexus.transfer.desk import check_name


@contextmanager
def while_nothing_runs(settings: Settings) -> Iterator[None]:
    """Keep applications from this folder, and from the database's file, away meanwhile.

    An application that uses a database on a server from another machine is not known here.

    Raises:
        AlreadyRunning: One runs from this folder.
        DatabaseInUse: One uses the database's file.
    """
    with ExitStack() as stack:
        stack.enter_context(sole_user(settings.data_folder))
        if settings.database_path is not None and not settings.database.shared:
            stack.enter_context(while_stopped(settings.database_path))
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredData:
    """One plugin's stored things.

    Attributes:
        plugin: Its name.
        found: The plugin as it was found, None where its folder is gone.
        database: The application's database.
        store: The key-value store in it.
    """

    plugin: str
    found: DiscoveredPlugin | None
    database: Database
    store: SqlKeyValueStore

    async def inventory(self) -> Inventory:
        """Tell what it has stored."""
        return await take_inventory(self.database, self.store, self.plugin)

    async def purge(self) -> Inventory:
        """Remove it, and tell what it was."""
        return await purge_plugin(
            self.database, self.store, self.plugin, keep_wish=self.found is not None
        )

    async def source(self) -> Source:
        """Tell what an export has to know of the plugin."""
        return Source(plugin=self.plugin) if self.found is None else await source_of(self.found)


@asynccontextmanager
async def stored_data(settings: Settings, plugin: str) -> AsyncIterator[StoredData]:
    """Open what a plugin has stored.

    Raises:
        PluginNotFound: There is no such plugin, and it has stored nothing.
        BackupRefused: There is no database yet.
        DatabaseUnavailable: The database cannot be opened.
    """
    check_name(plugin)
    plugins = discover(settings.plugin_folders)
    found = next((each for each in plugins if each.name == plugin), None)
    unknown = PluginNotFound(name=plugin, known=[each.name for each in plugins])
    path = settings.database_path
    if path is not None and not path.exists():
        if found is None:
            raise unknown
        raise BackupRefused(
            path=str(path),
            problem="there is no database yet, so nothing is stored",
            advice="The first start of the application makes it.",
        )
    async with opened_database(settings) as database:
        store = SqlKeyValueStore(database, max_bytes=settings.database.value_limit)
        data = StoredData(plugin=plugin, found=found, database=database, store=store)
        if found is None and (await data.inventory()).is_empty:
            raise unknown
        yield data
