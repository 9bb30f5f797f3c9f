"""The application's settings: what can be set, and what each setting means."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, PrivateAttr, field_validator
from pydantic.fields import FieldInfo

from nexus.config.event_engine import parse_engine
from nexus.config.http_section import HttpSettings
from nexus.config.section import Section
from nexus.config.sections import (
    AuditSettings,
    ClusterSettings,
    DatabaseSettings,
    EventSettings,
    HealthSettings,
    JobsSettings,
    LoggingSettings,
    PermissionSettings,
    SecuritySettings,
    ServerSettings,
    ShutdownSettings,
    StartupSettings,
    SupervisionSettings,
    TracingSettings,
)
from nexus.data.url import DatabaseUrl, parse_url

Environment = Literal["development", "production"]

BUILTIN_FOLDER: Final = Path(__file__).parents[1] / "builtin"
"""Where the platform's own plugins are."""

BUILTIN_PLUGINS: Final = ("admin", "auth")
"""The platform's own plugins, each off unless an application asks for it."""


class Settings(Section):
    """All settings of one application; `load_settings` makes them from file and environment."""

    name: str = Field("Nexus application", min_length=1, description="The application's name.")
    environment: Environment = Field(
        "development", description="Which config/<environment>.yaml of the plugins applies."
    )
    data_dir: Path = Field(
        Path("data"), description="The data folder, relative to the application's folder."
    )
    plugin_paths: list[Path] = Field(
        [Path("plugins")],
        description="The folders with plugins, relative to the application's folder.",
    )
    builtin: list[str] = Field(
        [], description="The plugins of the platform's own that the application has: admin, auth."
    )
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    logging: LoggingSettings = LoggingSettings()
    tracing: TracingSettings = TracingSettings()
    startup: StartupSettings = StartupSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    http: HttpSettings = HttpSettings()
    events: EventSettings = EventSettings()
    jobs: JobsSettings = JobsSettings()
    security: SecuritySettings = SecuritySettings()
    health: HealthSettings = HealthSettings()
    cluster: ClusterSettings = ClusterSettings()
    permissions: PermissionSettings = PermissionSettings()
    audit: AuditSettings = AuditSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    plugins: dict[str, dict[str, Any]] = Field(
        {},
        repr=False,  # any of them may be a secret
        description="Settings of plugins, by plugin and key; the environment's"
        " NEXUS_PLUGINS__<NAME>__<KEY> and stored values come before them.",
    )

    _root: Path = PrivateAttr(default_factory=Path.cwd)
    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _warnings: tuple[str, ...] = PrivateAttr(default=())
    _file_contents: tuple[str, ...] = PrivateAttr(default=())

    @property
    def root(self) -> Path:
        """The application's folder, absolute."""
        return self._root

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks like a mistake but need not be one, a sentence each."""
        return self._warnings

    @property
    def file_contents(self) -> tuple[str, ...]:
        """What the files hold that nexus.yaml refers to: secrets."""
        return self._file_contents

    @property
    def data_folder(self) -> Path:
        """The data folder, absolute."""
        return self._root / self.data_dir

    @property
    def plugin_folders(self) -> tuple[Path, ...]:
        """The folders with plugins, absolute, and those of the platform's own plugins."""
        own = (BUILTIN_FOLDER / name for name in self.builtin)
        return (*(self._root / path for path in self.plugin_paths), *own)

    @field_validator("builtin")
    @classmethod
    def _ships_with_us(cls, names: list[str]) -> list[str]:
        if unknown := [name for name in names if name not in BUILTIN_PLUGINS]:
            raise ValueError(f"one of {', '.join(BUILTIN_PLUGINS)}, and not {', '.join(unknown)}")
        return list(dict.fromkeys(names))

    @property
    def database_url(self) -> DatabaseUrl:
        """Where the database is; the path of a file is absolute."""
        if self.database.url is None:
            return DatabaseUrl(engine="sqlite", path=str(self.data_folder / "nexus.db"))
        url = parse_url(self.database.url)
        return replace(url, path=str(self._root / url.path)) if url.engine == "sqlite" else url

    @property
    def database_path(self) -> Path | None:
        """The database file, absolute; None where the database is on a server."""
        url = self.database_url
        return Path(url.path) if url.engine == "sqlite" else None

    @property
    def is_alone(self) -> bool:
        """Whether no other process can use the database at the same time."""
        return self.database_path is not None and not self.database.shared

    @property
    def grants_by_itself(self) -> bool:
        """Whether a plugin has what its manifest asks for without an operator's approval."""
        grant = self.permissions.grant
        return self.environment != "production" if grant is None else grant == "auto"

    def shown(self) -> dict[str, Any]:
        """Give the settings as JSON-ready data without the plugins' and without secrets."""
        values = self.model_dump(mode="json", exclude={"plugins"})
        if self.database_path is None:  # a server's URL may hold a password
            values["database"]["url"] = self.database_url.location
        if (engine := parse_engine(self.events.engine)).location:  # and so may that of an engine
            values["events"]["engine"] = engine.location
        return values

    def unused_plugins(self, known: Iterable[str]) -> list[str]:
        """Tell of the settings under `plugins` that are for no plugin there is, a sentence each.

        Args:
            known: The names of all plugins.
        """
        from nexus.errors import nearest

        names = list(known)
        warnings = []
        for name in sorted(self.plugins.keys() - set(names)):
            close = nearest(name, names)
            hint = f" Did you mean {close}?" if close else ""
            warnings.append(
                f"plugins.{name} in nexus.yaml is for a plugin that is not there.{hint}"
            )
        return warnings

    def sources(self) -> dict[str, str]:
        """Give where each setting has its value from.

        Returns:
            By the setting's path, such as `server.port`: `default`, the file's name, the name of an
            environment variable, or `override`.
        """
        return {
            setting.path: self._sources.get(setting.path, "default")
            for setting in describe_settings()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingDescription:
    """One setting, for the reference and for `nexus doctor`.

    Attributes:
        path: Its place in nexus.yaml, such as `server.port`.
        variable: The environment variable that sets it.
        type: Its type in words.
        default: Its default as YAML.
        meaning: What it does.
        secret: Whether its value must not be shown.
    """

    path: str
    variable: str
    type: str
    default: str
    meaning: str
    secret: bool


def describe_settings() -> tuple[SettingDescription, ...]:
    """Give every setting in the order of the reference."""
    return tuple(_describe(Settings, ()))


def _describe(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[SettingDescription]:
    for name, field in model.model_fields.items():
        path = (*above, name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _describe(kind, path)
            continue
        variable = "NEXUS_" + "__".join(path).upper()
        yield SettingDescription(
            path=".".join(path),
            variable="NEXUS_PLUGINS__<NAME>__<KEY>" if path == ("plugins",) else variable,
            type=_type_in_words(field),
            default=_as_yaml(field.default),
            meaning=field.description or "",
            secret="SecretStr" in str(kind),
        )


_TYPES: dict[str, str] = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "Path": "path",
    "list": "list",
    "dict": "mapping",
    "SecretStr": "text",
}


def _type_in_words(field: FieldInfo) -> str:
    from types import UnionType
    from typing import get_args, get_origin

    kind: Any = field.annotation
    if get_origin(kind) is UnionType or "Optional" in str(kind) or "Union" in str(kind):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is Literal:
        return " or ".join(get_args(kind))
    return _TYPES[(get_origin(kind) or kind).__name__]


def _as_yaml(value: Any) -> str:
    import json

    return json.dumps(value, default=str) if value is not None else "unset"
