"""Removes what a plugin has stored, and moves it between databases as a file."""

from nexus.transfer.desk import DataDesk
from nexus.transfer.export import Source, export_plugin
from nexus.transfer.files import Contents, DataFile, new_file, opened_file
from nexus.transfer.importing import Imported, Importer
from nexus.transfer.inventory import Inventory, take_inventory
from nexus.transfer.purge import purge_plugin
from nexus.transfer.source import secret_settings, source_of
from nexus.transfer.target import Target

__all__ = [
    "Contents",
    "DataDesk",
    "DataFile",
    "Imported",
    "Importer",
    "Inventory",
    "Source",
    "Target",
    "export_plugin",
    "new_file",
    "opened_file",
    "purge_plugin",
    "secret_settings",
    "source_of",
    "take_inventory",
]
