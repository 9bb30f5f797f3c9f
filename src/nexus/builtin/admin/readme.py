"""A plugin's README as HTML that is safe to show."""

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
_MARKDOWN.disable("image")


def rendered(text: str) -> str:
    """Render Markdown.

    HTML in it is shown as text, pictures become links, and addresses that a browser would run are
    no links: Markdown-it leaves out `javascript:`, `vbscript:`, `file:` and `data:`.
    """
    html: str = _MARKDOWN.render(text)
    return html
