"""The task list as a page for people: plain HTML, no script, readable in light and dark."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

from plugins.tasks.models import Statistics, Task, TaskPage, today
from plugins.tasks.query import TaskQuery

_STYLE: Final = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #59636e; --late: #a40e26; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3d444d; --soft: #9198a1; --late: #ff9492; }
}
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; }
dl div { display: flex; flex-direction: column-reverse; }
dt { color: var(--soft); } dd { margin: 0; font-size: 1.75rem; }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin: 1.5rem 0; }
label { display: grid; gap: .25rem; }
input, select, button { font: inherit; padding: .3rem .5rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: start; color: var(--soft); padding-bottom: .5rem; }
th, td { text-align: start; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
.late { color: var(--late); font-weight: 600; }
.done { color: var(--soft); }
"""
_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""Allows the page's own style and nothing else."""

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tasks</title>
<style>$style</style>
</head>
<body>
<main>
<h1>Tasks</h1>
<dl>
<div><dt>open</dt><dd>$open</dd></div>
<div><dt>overdue</dt><dd>$overdue</dd></div>
<div><dt>due today</dt><dd>$due_today</dd></div>
<div><dt>done</dt><dd>$done</dd></div>
</dl>
<form>
<label>Text <input type="search" name="text" maxlength="200" value="$text"></label>
<label>Tag <select name="tag">$tags</select></label>
<button>Filter</button>
</form>
<table>
<caption>$caption</caption>
<thead><tr><th scope="col">Task</th><th scope="col">Tags</th><th scope="col">Due</th>
<th scope="col">State</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</main>
</body>
</html>
""")


def render_dashboard(query: TaskQuery, page: TaskPage, statistics: Statistics) -> str:
    """Give the page's HTML."""
    rows = "\n".join(_row(task) for task in page.items)
    return _PAGE.substitute(
        style=_STYLE,
        open=statistics.open,
        overdue=statistics.overdue,
        due_today=statistics.due_today,
        done=statistics.done,
        text=escape(query.text or ""),
        tags=_options(["", *statistics.by_tag], query.tag or ""),
        caption=f"{len(page.items)} of {page.total} tasks",
        rows=rows or '<tr><td colspan="4">No task matches.</td></tr>',
    )


def _options(tags: list[str], chosen: str) -> str:
    shown = tags if chosen in tags else [*tags, chosen]
    return "".join(
        f'<option value="{escape(tag)}"{" selected" if tag == chosen else ""}>'
        f"{escape(tag) or 'any'}</option>"
        for tag in shown
    )


def _row(task: Task) -> str:
    due = "" if task.due is None else f'<time datetime="{task.due}">{task.due}</time>'
    look, state = "", "open"
    if task.done:
        look, state = "done", "done"
    elif task.is_overdue(today()):
        look, state = "late", "overdue"
    return (
        f'<tr class="{look}"><th scope="row">{escape(task.title)}</th>'
        f"<td>{escape(', '.join(task.tags))}</td><td>{due}</td><td>{state}</td></tr>"
    )
