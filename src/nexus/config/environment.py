"""Environment variables as settings of the application.

pydantic-settings reads them by the model's fields. Variables of plugins are left to the layers of
each plugin's configuration, where they come above the stored values.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from nexus.config.settings import Settings

ENVIRONMENT_PREFIX: Final = "NEXUS_"
PLUGIN_PREFIX: Final = "NEXUS_PLUGINS__"
_SHORT: Final = {
    "nexus_secret_key": "nexus_security__secret_key",
    "nexus_admin_token": "nexus_security__admin_token",
}


def read_environment(
    environ: Mapping[str, str],
) -> tuple[dict[tuple[str, ...], str], dict[str, Any]]:
    """Read the variables that start with `NEXUS_`, those of plugins excepted.

    Returns:
        The name of the variable by the path it sets, known or not; and the values of the known
        ones, shaped like the file. A value that is not of its field's form stays text, so that
        validation tells it together with everything else.
    """
    variables: dict[tuple[str, ...], str] = {}
    values: dict[str, str | None] = {}
    for variable, text in environ.items():
        name = variable.lower()
        if not name.startswith(ENVIRONMENT_PREFIX.lower()) or not text:
            continue
        if name.startswith(PLUGIN_PREFIX.lower()):
            continue
        name = _SHORT.get(name, name)
        path = tuple(name.removeprefix(ENVIRONMENT_PREFIX.lower()).split("__"))
        if name in values and variable.lower() in _SHORT:
            continue  # the long form says it already
        variables[path] = variable
        values[name] = _as_json(path, text)
    return variables, _values_of(values)


def _values_of(values: Mapping[str, str | None]) -> dict[str, Any]:
    if not values:
        return {}
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

    class FromEnvironment(Settings, BaseSettings):
        model_config = SettingsConfigDict(defer_build=True)  # only its fields are looked at

    source = EnvSettingsSource(
        FromEnvironment,
        case_sensitive=False,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )
    source.env_vars = values
    read = source()
    read.pop("plugins", None)
    return read


def _as_json(path: tuple[str, ...], text: str) -> str:
    """Give the text in the form that pydantic-settings reads, which is JSON for all but scalars."""
    kind = _kind_of(path)
    if kind is None:
        return text
    try:
        json.loads(text)
    except ValueError:
        parts = [part.strip() for part in text.split(",")]
        return json.dumps([part for part in parts if part] if kind is list else text)
    return text


def _kind_of(path: tuple[str, ...]) -> type | None:
    model: type[BaseModel] = Settings
    for depth, name in enumerate(path, start=1):
        field = model.model_fields.get(name)
        if field is None:
            return None
        if not isinstance(field.default, BaseModel):
            is_list = depth == len(path) and isinstance(field.default, list)
            return list if is_list else None
        model = type(field.default)
    return model
