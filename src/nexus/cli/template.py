"""The texts of files that commands make."""

from importlib.resources import files
from string import Template


def template_text(template: str, /, **values: str) -> str:
    """Give the text of a template with its `$names` filled in.

    Args:
        template: A file under `templates/`.
        values: What stands for each name; a name without a value is an error.
    """
    text = files("nexus.cli").joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(values)
