"""A playbook with an incident's values filled in, as Markdown and as safe HTML.

Values are data, and attackers write them: in text every mark of Markdown is escaped, in shell blocks
they are single-quoted, in SQL blocks they are string literals; HTML is sanitised once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import nh3
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markdown_it import MarkdownIt
from markupsafe import Markup

from playbooks.playbook import Playbook

MAX_VALUE: Final = 300
VALUES: Final[Mapping[str, str]] = {
    "incident_id": "the incident's id",
    "number": "the incident's number at this site",
    "title": "the incident's title",
    "level": "informational to critical",
    "status": "the incident's state",
    "first_event_at": "when the first event happened (RFC 3339, UTC)",
    "opened_at": "when the incident was opened (RFC 3339, UTC)",
    "primary": "the primary entity's id",
    "credential": "the credential's id, for example database:database/analytics",
    "mount": "the vault mount of the credential",
    "role": "the vault role (the target's name) of the credential",
    "namespace": "the Kubernetes namespace concerned",
    "pod": "the pod's name without its namespace",
    "service_account": "the service account's name without its namespace",
    "actor": "who acted",
    "address": "the address that it came from",
    "vault_entity": "the vault entity's id",
    "vault_token": "the vault token's accessor",
    "iam_principal": "the IAM principal (ARN)",
    "access_key": "the access key's id",
    "workload": "the mesh workload",
    "host": "the external host reached",
    "action_id": "the latest action's id",
    "action_state": "the latest action's state",
    "grade": "the proof's grade",
}
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>()#|~&!$^])")
_LIST: Final = re.compile(r"^(\d+)([.)])")
_TAGS: Final = {
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "ul",
        "ol",
        "li",
        "pre",
        "code",
        "strong",
        "em",
        "blockquote",
        "hr",
        "br",
        "a",
    ),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def plain(value: object) -> str:
    """Return a value as one bounded line: no control character, no invisible or direction-changing one."""
    text = _BREAKS.sub(" ", str(value)).encode("utf-8", "replace").decode("utf-8").strip()
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "\u2026"


def markdown_text(value: object) -> Markup:
    """Return a value as literal Markdown text: nothing in it is markup."""
    if isinstance(value, Markup):
        return value
    text = _LIST.sub(r"\1\\\2", _MARKS.sub(r"\\\1", plain(value)))
    return Markup("\\" + text if text[:1] in ("-", "+", "=", ":", "%") else text)  # noqa: S704 - escaped above


def shell_word(value: object) -> Markup:
    """Return a value as one single-quoted POSIX shell word that no program takes for an option."""
    text = plain(value)
    text = "NOT-A-NAME:" + text if text.startswith("-") else text
    return Markup("'" + text.replace("'", "'\\''") + "'")  # noqa: S704 - quoted above


def sql_string(value: object) -> Markup:
    """Return a value as one standard SQL string literal."""
    return Markup("'" + plain(value).replace("'", "''") + "'")  # noqa: S704 - quoted above


def code(value: object) -> Markup:
    """Return a value as a code span, fenced by more backticks than it holds."""
    text = plain(value)
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return Markup(f"{fence}{pad}{text}{pad}{fence}")  # noqa: S704 - fenced above


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, finalize=markdown_text, keep_trailing_newline=True
    )
    environment.filters = {"sh": shell_word, "sqlstring": sql_string, "code": code, "default": _default}
    return environment


def _default(value: object, otherwise: str = "") -> object:
    return value or otherwise


ENVIRONMENT: Final = _environment()


def render(playbook: Playbook, values: Mapping[str, str]) -> str:
    """Return the page as Markdown with `values` filled in; a value not known reads NOT-KNOWN-name."""
    known = {name: values.get(name) or f"NOT-KNOWN-{name.replace('_', '-').upper()}" for name in VALUES}
    parts = [f"# {markdown_text(playbook.title)}", ""]
    for name in playbook.headings:
        text = ENVIRONMENT.from_string(playbook.sections[name]).render(known)
        parts += [f"## {name}", "", text.strip(), ""]
    parts.append(f"Playbook {playbook.id} {playbook.version}, kept by {markdown_text(playbook.owner)}.")
    return "\n".join(parts) + "\n"


def to_html(markdown: str) -> str:
    """Return Markdown as sanitised HTML: no raw HTML, no script, no style, links to https only."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}, "code": {"class"}},
        url_schemes={"https"},
        link_rel="noopener noreferrer",
    )


def render_html(playbook: Playbook, values: Mapping[str, str]) -> str:
    """Return the page as sanitised HTML with `values` filled in."""
    return to_html(render(playbook, values))
