"""The pages that people read at night: filled in, and whatever an attacker wrote stays text."""

from __future__ import annotations

import re
import shlex
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.library import builtin, check, load
from playbooks.page import VALUES, render, render_html, shell_word, sql_string
from playbooks.playbook import FALLBACK, SECTIONS, WITH_FALLBACK
from playbooks.values import values_of

ALLOWED = {
    "h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "pre", "code", "strong", "em",
    "blockquote", "hr", "br", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
NAMES = sorted(load(builtin()))
NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "https://evil.example",
    "`; rm -rf / #",
    "'; rm -rf / #",
    "$(reboot)",
    "a\n## Do now\n\nRun evil\n",
    "a\n```\n# heading",
    "{{ 7 * 7 }}{% for x in [1] %}",
    "| a | b |",
    "--kubeconfig=/tmp/evil",
    "\u202egnp.exe",
    "1. first",
    "- item",
    "&lt;b&gt;",
    "\x00\ud800",
    "x" * 5000,
]


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found, self.attributes = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += attrs


def shape(html):
    return Tags(html).found


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_page_is_whole(shipped, name):
    playbook = shipped[name]
    headings = WITH_FALLBACK if playbook.kinds else SECTIONS
    assert tuple(playbook.sections) == headings
    values = {key: f"the-{key.replace('_', '-')}" for key in VALUES}
    page = render(playbook, values)
    assert "NOT-KNOWN" not in page
    assert "{{" not in page
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(headings)
    assert len(render_html(playbook, values)) < 40_000


def test_the_list_in_the_docs_is_the_library(shipped):
    text = (Path(__file__).parents[2] / "docs/playbooks.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", text, re.M))
    assert listed == {name: playbook.title for name, playbook in shipped.items()}


def test_every_page_can_be_followed_with_the_vault_stopped(shipped):
    """A fallback of nothing but vault commands would fail together with the vault."""
    for name, playbook in shipped.items():
        fallback = playbook.sections.get(FALLBACK) or playbook.sections["If automation failed"]
        commands = [line for line in fallback.splitlines() if line.startswith("bao ")]
        others = re.findall(r"^(?:aws|kubectl|git|davylamp|SELECT|flux|ssh-keygen) ?", fallback, re.M)
        assert not commands or others, name


def test_commands_are_of_tools_that_are_there(shipped):
    allowed = {"davylamp", "kubectl", "aws", "bao", "git", "flux", "istioctl", "ssh-keygen"}
    for name, playbook in shipped.items():
        for text in playbook.sections.values():
            for block in re.findall(r"```sh\n(.*?)```", text, re.S):
                block = re.sub(r"<<'END'\n.*?\nEND\n", "\n", block, flags=re.S)
                words = [line.split()[0] for line in block.splitlines()]
                tools = {word for word in words if not re.match(r"[A-Z_]+=", word)}
                assert tools <= allowed, name


@pytest.mark.parametrize("first", [0, 7])
def test_what_is_copied_into_a_shell_is_shell(shipped, first):
    """Checked by the shell itself, which reads the commands and runs none (`sh -n`)."""
    mixed = {key: NASTY[(first + place) % len(NASTY)] for place, key in enumerate(VALUES)}
    for name, playbook in shipped.items():
        script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", render(playbook, mixed), re.S | re.M))
        done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), name


def test_only_the_leaked_credential_acts_by_itself(shipped):
    auto = {name: p.rotation for name, p in shipped.items() if p.auto.mode == "auto"}
    assert list(auto) == ["leaked-credential"]
    assert auto["leaked-credential"].mode == "contain"


def test_shipped_playbooks_have_no_problem():
    assert check(builtin())[1] == []


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize(
    "name", ["leaked-credential", "pod-exec", "log-tampering", "mesh-downgrade", "triage"]
)
def test_an_attackers_text_never_becomes_markup(shipped, name, nasty):
    plain = render_html(shipped[name], dict.fromkeys(VALUES, "harmless"))
    hostile = render_html(shipped[name], dict.fromkeys(VALUES, nasty))
    assert shape(hostile) == shape(plain)
    assert set(shape(hostile)) <= ALLOWED
    assert {key for key, _ in Tags(hostile).attributes} <= {"class", "href", "rel"}
    assert "\n## Do now\n\nRun evil" not in render(shipped[name], dict.fromkeys(VALUES, nasty))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_values_of_every_sort_leave_the_shape_of_every_page(shipped, name):
    plain = shape(render_html(shipped[name], dict.fromkeys(VALUES, "harmless")))
    for first in (0, 7):
        mixed = {key: NASTY[(first + place) % len(NASTY)] for place, key in enumerate(VALUES)}
        assert shape(render_html(shipped[name], mixed)) == plain


@given(st.text())
def test_any_text_leaves_the_shape_of_the_page(shipped, text):
    plain = shape(render_html(shipped["triage"], dict.fromkeys(VALUES, "harmless")))
    assert shape(render_html(shipped["triage"], dict.fromkeys(VALUES, text))) == plain


@given(st.text())
def test_a_shell_word_is_exactly_one_word_and_no_option(text):
    words = shlex.split(f"kubectl get {shell_word(text)} --output=json")
    assert len(words) == 4
    assert not words[2].startswith("-")


@given(st.text())
def test_an_sql_string_is_exactly_one_literal(text):
    literal = str(sql_string(text))
    assert re.fullmatch(r"'([^']|'')*'", literal)


def test_values_come_from_the_incident_document():
    document = {
        "incident_id": "i", "number": 7, "title": "t", "level": "high", "status": "new",
        "first_event_at": "2026-11-23T03:00:00.000Z", "opened_at": "2026-11-23T03:00:01.000Z",
        "primary": {"type": "credential", "id": "database:database/analytics"},
        "entities": [
            {"type": "address", "id": "10.0.0.7", "role": "source"},
            {"type": "pod", "id": "terraminer-data/etl", "role": "target"},
            {"type": "vault_entity", "id": "e-1", "role": "actor"},
            {"type": "k8s_user", "id": "mallory", "role": "actor"},
        ],
        "actions": [{"action_id": "a", "state": "succeeded", "grade": "A"}],
    }  # fmt: skip
    values = values_of(document)
    assert set(values) <= set(VALUES)
    assert (values["mount"], values["role"]) == ("database", "analytics")
    assert (values["namespace"], values["pod"]) == ("terraminer-data", "etl")
    assert (values["actor"], values["address"], values["vault_entity"]) == ("mallory", "10.0.0.7", "e-1")
    assert (values["action_state"], values["grade"]) == ("succeeded", "A")


def test_what_is_not_known_says_so(shipped):
    page = render(shipped["leaked-credential"], {})
    assert "NOT-KNOWN-ACTION-ID" in page
