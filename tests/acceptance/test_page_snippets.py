"""The page's best-practice snippets, with the methods filled in that they leave out."""

import asyncio
from pathlib import Path
from textwrap import dedent

import pytest

from nexus import create_nexus_app
from nexus.plugins import BasePlugin

SNIPPETS = '''
import asyncio

from nexus.plugins import BasePlugin

log = []


class Connection:
    async def close(self):
        log.append("closed")


class ResourceAwarePlugin(BasePlugin):
    """Plugin with proper resource management."""

    def __init__(self):
        super().__init__()
        self.connections = []
        self.background_tasks = []

    async def initialize(self) -> bool:
        """Initialize with resource tracking."""
        try:
            # Set up resources
            connection = await self.create_connection()
            self.connections.append(connection)

            # Start background tasks
            task = asyncio.create_task(self.background_worker())
            self.background_tasks.append(task)

            return True
        except Exception as e:
            # Clean up partial initialization
            await self.cleanup()
            raise

    async def shutdown(self) -> None:
        """Clean up all resources."""
        # Cancel background tasks
        for task in self.background_tasks:
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        # Close connections
        for connection in self.connections:
            await connection.close()

        self.connections.clear()
        self.background_tasks.clear()

    async def robust_operation(self):
        """Example of robust error handling."""
        try:
            # Risky operation
            result = await self.external_api_call()
            return result
        except ConnectionError as e:
            self.logger.warning(f"Connection failed, retrying: {e}")
            # Implement retry logic
            raise
        except Exception as e:
            self.logger.error(f"Unexpected error: {e}", exc_info=True)
            raise

    async def _validate_config(self) -> None:
        """Validate plugin configuration."""
        api_key = await self.get_config("api_key")
        if not api_key:
            raise ValueError("API key is required")

        timeout = await self.get_config("timeout", 30)
        if timeout <= 0:
            raise ValueError("Timeout must be positive")

        max_retries = await self.get_config("max_retries", 3)
        if not 1 <= max_retries <= 10:
            raise ValueError("Max retries must be between 1 and 10")

    # Good: Use async/await properly
    async def process_items(self, items):
        return [await self.process_item(item) for item in items]

    # Better: Use asyncio.gather for concurrent processing
    async def process_items_concurrent(self, items):
        tasks = [self.process_item(item) for item in items]
        return await asyncio.gather(*tasks)

    # Best: Use semaphore to limit concurrency
    async def process_items_limited(self, items):
        semaphore = asyncio.Semaphore(5)  # Limit to 5 concurrent operations

        async def limited_process(item):
            async with semaphore:
                return await self.process_item(item)

        tasks = [limited_process(item) for item in items]
        return await asyncio.gather(*tasks)

    # What the page leaves out

    async def create_connection(self):
        log.append("connected")
        return Connection()

    async def background_worker(self):
        log.append("working")
        try:
            await asyncio.sleep(3600)
        finally:
            log.append("worker ended")

    async def cleanup(self):
        log.append("cleaned up")

    async def external_api_call(self):
        raise ConnectionError("refused")

    async def process_item(self, item):
        return item * 2
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugin = tmp_path / "plugins" / "resources"
    plugin.mkdir(parents=True)
    (plugin / "manifest.json").write_text('{"name": "resources", "version": "1.0.0"}')
    (plugin / "plugin.py").write_text(dedent(SNIPPETS))
    return tmp_path


async def test_the_snippets_run_in_an_application(folder: Path) -> None:
    app = create_nexus_app(folder, environ={}, configure_logging=False)
    async with app.running():
        live = app.manager.controller("resources").live
        assert live is not None, app.manager.status("resources")
        plugin: BasePlugin = live.hosted.plugin  # type: ignore[attr-defined] # the in-process host
        log = plugin.initialize.__globals__["log"]
        await asyncio.sleep(0)
        assert log == ["connected", "working"]
        assert len(live.tasks) == 1

        items = [1, 2, 3]
        for name in ("process_items", "process_items_concurrent", "process_items_limited"):
            assert await getattr(plugin, name)(items) == [2, 4, 6]
        with pytest.raises(ConnectionError, match="refused"):
            await plugin.robust_operation()  # type: ignore[attr-defined] # the page's own method
        with pytest.raises(ValueError, match="API key is required"):
            await plugin._validate_config()  # type: ignore[attr-defined] # the page's own method

        await app.desk.change("resources", {"api_key": "k", "max_retries": 11})
        with pytest.raises(ValueError, match="between 1 and 10"):
            await plugin._validate_config()  # type: ignore[attr-defined] # the page's own method
        await app.desk.change("resources", {"max_retries": 10, "timeout": 1})
        await plugin._validate_config()  # type: ignore[attr-defined] # the page's own method
    assert log == ["connected", "working", "worker ended", "closed"]
    assert len(live.tasks) == 0
