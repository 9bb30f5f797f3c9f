"""The configuration of one plugin: layered, validated, and changed while the plugin runs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.config.layers import ConfigProblem, Effective, Layer, lay
from nexus.config.plugin_variables import plugin_variables
from nexus.config.secret_mask import SecretMask, masked
from nexus.config.stored import StoredConfiguration, StoredValues
from nexus.config.yaml_file import read_yaml
from nexus.data.json_text import JSON, check_json, copied
from nexus.errors import ConfigKeyFixed, ConfigValueRefused, InvalidYaml
from nexus.manifest.problems import describe

if TYPE_CHECKING:
    from nexus.manifest import ConfigField

STORED: Final = "stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEntry:
    """One setting as it is shown.

    Attributes:
        key: Its name.
        value: Its value, masked if it is a secret, None when it has none.
        source: Where the value comes from, None when it has none.
        declared: Whether the manifest declares it.
        required: Whether the plugin needs it to start.
        secret: Whether its value is masked.
        fixed: Whether the environment fixes it, so that it cannot be set.
        problem: What is wrong with it, None when nothing is.
    """

    key: str
    value: JSON
    source: str | None
    declared: bool
    required: bool
    secret: bool
    fixed: bool
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """What became of one setting; a secret's values are masked.

    Attributes:
        plugin: The plugin.
        key: The setting.
        old: Its value before, None when it had none.
        new: Its value now; a layer below may have one when a stored value was removed.
        source: Where the value now comes from, None when it has none.
        secret: Whether the values are masked.
        changed: Whether the value is another one.
    """

    plugin: str
    key: str
    old: JSON
    new: JSON
    source: str | None
    secret: bool
    changed: bool


class PluginConfiguration:
    """What `get_config` reads and `set_config` changes.

    The layers, lowest first: the manifest's defaults, the schema's initial data, the folder's
    `config/default.yaml` and `config/<environment>.yaml`, the application's `nexus.yaml`, stored
    values, environment variables. Null in a layer means that this layer has no value.
    """

    def __init__(
        self,
        plugin: str,
        *,
        fields: "Mapping[str, ConfigField]",
        folder: Path | None,
        environment: str,
        application_values: Mapping[str, JSON],
        environ: Mapping[str, str],
        store: StoredValues,
        mask: SecretMask | None = None,
    ) -> None:
        """Make it; nothing is read before `load`.

        Args:
            plugin: The plugin's name.
            fields: The settings that the manifest declares.
            folder: The plugin's folder, None when it has none.
            environment: Which `config/<environment>.yaml` applies.
            application_values: The values under `plugins.<name>` in nexus.yaml.
            environ: The environment.
            store: The stored values of all plugins.
            mask: Gets every secret value, to keep them out of logs.
        """
        self.plugin = plugin
        self._fields = fields
        self._folder = folder
        self._environment = environment
        self._application_values = application_values
        self._variables = plugin_variables(plugin, fields, environ)
        self._store = store
        self._mask = mask or SecretMask()
        self._initial: Mapping[str, JSON] = {}
        self._files: list[Layer] = []
        self._file_problems: list[ConfigProblem] = []
        self._stored = StoredConfiguration(values={}, undecryptable={})
        self._laid = Effective()
        self._is_stale = False
        store.watch(plugin, self)
        self._lay()

    @property
    def fields(self) -> "Mapping[str, ConfigField]":
        """What the manifest declares, by key."""
        return self._fields

    async def load(self) -> None:
        """Read the files and the stored values, again if they were read before.

        Trouble with them is no error but a problem: `problems` tells it.

        Raises:
            DatabaseUnavailable: The stored values cannot be read.
        """
        was_bare = self._is_bare()
        if self._folder is not None and (self._folder / "config").is_dir():
            await asyncio.to_thread(self._read_files, self._folder)
        else:
            self._files, self._file_problems = [], []
        async with self._store.exclusive(self.plugin):
            self._stored = await self._store.read(self.plugin)
            if not (was_bare and self._is_bare()):
                self._lay()

    def give_initial(self, after: "PluginConfiguration") -> None:
        """Pass the initial data on to another configuration, until its own is known."""
        if self._initial and after is not self:
            after.set_initial(self._initial)

    def set_initial(self, values: Mapping[str, JSON]) -> None:
        """Take the defaults of `initial_data.config`, which come just above the manifest's.

        Raises:
            NotJson: JSON cannot carry one of the values.
        """
        check_json(dict(values))
        self._initial = copied(dict(values))
        self._lay()

    def get(self, key: str, default: JSON = None) -> JSON:
        """Give the value of a setting as a copy, or the default where no layer has one."""
        try:
            value = self._effective.values[key]
        except KeyError:
            return default
        return copied(value) if isinstance(value, (dict, list)) else value

    def values(self) -> dict[str, JSON]:
        """Give all values as a copy, secrets in plain text."""
        return {key: copied(value) for key, value in self._effective.values.items()}

    def entries(self) -> list[ConfigEntry]:
        """Give all settings, declared or not, by name, as they may be shown."""
        problems = {problem.key: problem.message for problem in reversed(self.problems())}
        return [
            ConfigEntry(
                key=key,
                value=self._shown(key),
                source=self._effective.sources.get(key),
                declared=key in self._fields,
                required=key in self._fields and self._fields[key].required,
                secret=self._is_secret(key),
                fixed=key in self._effective.fixed,
                problem=problems.get(key),
            )
            for key in sorted({*self._fields, *self._effective.values})
        ]

    def problems(self) -> list[ConfigProblem]:
        """Give what is wrong in any layer; while one is blocking the plugin cannot start."""
        undecryptable = [
            ConfigProblem(
                key=key,
                source=STORED,
                message=error.render(),
                blocking=key not in self._effective.fixed,
            )
            for key, error in self._stored.undecryptable.items()
        ]
        return [*self._file_problems, *undecryptable, *self._effective.problems]

    async def set(self, key: str, value: JSON) -> ConfigChange:
        """Store the value of one setting, or with None remove the stored value.

        Raises:
            ConfigValueRefused: The manifest declares the key, and the value does not fit.
            ConfigKeyFixed: The environment fixes the key.
            NotJson: JSON cannot carry the value.
            InvalidKey: The key cannot be stored.
            DatabaseUnavailable: Nothing can be stored at the moment.
        """
        [change] = await self.set_many({key: value})
        return change

    async def set_many(self, changes: Mapping[str, JSON]) -> Sequence[ConfigChange]:
        """Store or remove several values: all of them or none.

        Raises:
            ConfigValueRefused: As for `set`, for the first value that does not fit.
            ConfigKeyFixed: As for `set`.
        """
        for key, value in changes.items():
            self._check_change(key, value)
        secrets = {key for key in changes if self._is_secret(key)}
        for key in secrets:
            self._mask.add(changes[key])
        async with self._store.exclusive(self.plugin):
            before = self._effective
            await self._store.write(self.plugin, changes, secrets=secrets)
            return [self._change(key, before) for key in changes]

    async def reread(self) -> Sequence[ConfigChange]:
        """Take over what other processes have stored; give the settings that have changed."""
        before = self._effective
        await self._store.reread(self.plugin)
        keys = sorted({*before.values, *self._effective.values})
        return [change for key in keys if (change := self._change(key, before)).changed]

    def stored_replaced(self, stored: StoredConfiguration) -> None:
        """Take over all that is stored for the plugin."""
        self._stored = stored
        self._lay()

    def stored_changed(self, changes: Mapping[str, JSON]) -> None:
        """Take over what was stored for the plugin, be it through this object or another one."""
        values = dict(self._stored.values)
        undecryptable = dict(self._stored.undecryptable)
        for key, value in changes.items():
            values.pop(key, None)
            undecryptable.pop(key, None)
            if value is not None:
                values[key] = copied(value)
        self._stored = StoredConfiguration(values=values, undecryptable=undecryptable)
        # Who is told of it may be of a generation that has ended, and is never asked again.
        self._is_stale = True

    def _check_change(self, key: str, value: JSON) -> None:
        variable = self._effective.fixed.get(key)
        if variable is not None:
            raise ConfigKeyFixed(plugin=self.plugin, key=key, variable=variable)
        declared = self._fields.get(key)
        if value is None or declared is None:
            return
        check_json(value)
        expected = declared.check(value)
        if expected is None and declared.required and value == "":
            expected = "a text that is not empty"
        if expected is not None:
            found = describe(value, secret=declared.secret)
            raise ConfigValueRefused(plugin=self.plugin, key=key, expected=expected, found=found)

    def _change(self, key: str, before: Effective) -> ConfigChange:
        old, new = before.values.get(key), self._effective.values.get(key)
        secret = self._is_secret(key)
        return ConfigChange(
            plugin=self.plugin,
            key=key,
            old=masked(old) if secret else copied(old),
            new=masked(new) if secret else copied(new),
            source=self._effective.sources.get(key),
            secret=secret,
            changed=repr(old) != repr(new),  # 1, 1.0 and true are equal, and other values
        )

    def _read_files(self, folder: Path) -> None:
        layers: list[Layer] = []
        problems: list[ConfigProblem] = []
        for name in ("default", self._environment):
            source = f"config/{name}.yaml"
            try:
                layers.append(Layer(source=source, values=read_yaml(folder / source)))
            except FileNotFoundError:
                continue
            except InvalidYaml as error:
                problems.append(ConfigProblem(key=None, source=source, message=error.render()))
        self._files, self._file_problems = layers, problems

    @property
    def _effective(self) -> Effective:
        if self._is_stale:
            self._lay()
        return self._laid

    def _lay(self) -> None:
        self._is_stale = False
        defaults = {key: field.default for key, field in self._fields.items()}
        self._laid = lay(
            self.plugin,
            self._fields,
            [
                Layer(source="manifest.json", values=defaults),
                Layer(source="get_database_schema()", values=self._initial),
                *self._files,
                Layer(source="nexus.yaml", values=self._application_values),
                Layer(source=STORED, values=self._stored.values),
            ],
            self._variables,
        )
        for key, declared in self._fields.items():
            if declared.secret:
                self._mask.add(self._laid.values.get(key))

    def _is_bare(self) -> bool:
        # As most are: then the layers are what they were.
        stored = self._stored.values or self._stored.undecryptable
        return not (self._files or self._file_problems or stored)

    def _is_secret(self, key: str) -> bool:
        return key in self._fields and self._fields[key].secret

    def _shown(self, key: str) -> JSON:
        value = self._effective.values.get(key)
        return masked(value) if self._is_secret(key) else copied(value)
