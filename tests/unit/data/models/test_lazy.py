"""Nobody pays for SQLAlchemy who has no models."""

import subprocess
import sys
from pathlib import Path

HEAVY = ("sqlalchemy", "alembic", "aiosqlite", "asyncpg", "asyncmy", "greenlet")

SCRIPT = """
import asyncio, sys
from pathlib import Path
from nexus import create_nexus_app

async def main():
    app = create_nexus_app(Path(sys.argv[1]))
    async with app.app.router.lifespan_context(app.app):
        pass

import nexus.data.migrations, nexus.data.migrations.prepare
asyncio.run(main())
heavy = [name for name in {heavy} if name in sys.modules]
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""


def test_an_application_without_models_never_imports_it(tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "plain"
    (folder / "schemas").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"name": "plain", "version": "1.0.0"}')
    (folder / "schemas" / "models.py").write_text("from pydantic import BaseModel\n")
    (folder / "plugin.py").write_text(
        "from nexus.plugins import BasePlugin\n"
        "from .schemas import models\n"
        "class Plain(BasePlugin):\n"
        "    async def initialize(self):\n"
        "        return True\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(heavy=HEAVY), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_neither_does_the_package() -> None:
    script = (
        "import sys, nexus, nexus.plugins, nexus.data, nexus.cli.main\n"
        f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr == "\n"
