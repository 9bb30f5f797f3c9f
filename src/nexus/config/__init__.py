"""Settings of the application, layered configuration of plugins, secrets at rest.

The names below are loaded on first use: a plugin's configuration needs no pydantic.
"""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names

if TYPE_CHECKING:
    from nexus.config.layers import ConfigProblem
    from nexus.config.load import load_settings
    from nexus.config.plugin_configuration import ConfigChange, ConfigEntry, PluginConfiguration
    from nexus.config.plugin_variables import variable_name
    from nexus.config.secret_box import SecretBox
    from nexus.config.secret_mask import MASK, SecretMask, masked
    from nexus.config.setting_problem import SettingProblem
    from nexus.config.settings import SettingDescription, Settings, describe_settings
    from nexus.config.stored import StoredValues

__all__ = [
    "MASK",
    "ConfigChange",
    "ConfigEntry",
    "ConfigProblem",
    "PluginConfiguration",
    "SecretBox",
    "SecretMask",
    "SettingDescription",
    "SettingProblem",
    "Settings",
    "StoredValues",
    "describe_settings",
    "load_settings",
    "masked",
    "variable_name",
]

_HOMES = {
    "ConfigChange": "nexus.config.plugin_configuration",
    "ConfigEntry": "nexus.config.plugin_configuration",
    "ConfigProblem": "nexus.config.layers",
    "MASK": "nexus.config.secret_mask",
    "PluginConfiguration": "nexus.config.plugin_configuration",
    "SecretBox": "nexus.config.secret_box",
    "SecretMask": "nexus.config.secret_mask",
    "SettingDescription": "nexus.config.settings",
    "SettingProblem": "nexus.config.setting_problem",
    "Settings": "nexus.config.settings",
    "StoredValues": "nexus.config.stored",
    "describe_settings": "nexus.config.settings",
    "load_settings": "nexus.config.load",
    "masked": "nexus.config.secret_mask",
    "variable_name": "nexus.config.plugin_variables",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
