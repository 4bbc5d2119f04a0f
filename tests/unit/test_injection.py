# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a host or a file of results calls a thing, it stays text, and is no path.

On pages, in HTML, in drawings, in exports and on a terminal.

tests/browser/test_site.py opens the same in Chromium, tests/integration/test_hostile_host.py has Ansible run it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser
from support.records import hostile, side_by_side, traded

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing, terminal
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import Problem

Record = dict[str, Any]

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "records"
RUN = "20261123T155523Z-1a2b"
EVERY = pytest.mark.parametrize("text", hostile.PAYLOADS.values(), ids=hostile.PAYLOADS)
# The classes of small print that the site has a colour for.
STATES = {"valid", "unstable", "invalid", "missing", "imported"}
DRAWING = re.compile(r"figures/[a-z0-9.-]+-(light|dark)\.svg")
# What spreadsheets read as a formula at the beginning of a cell (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def of_schema(number: int) -> list[Record]:
    lines = (FIXTURES / f"schema-{number}.jsonl").read_text("utf-8").splitlines()
    return [records.upgrade(json.loads(line)) for line in lines]


def known() -> list[Record]:
    """Records with everything that a page shows: of a real run, of one side by side, and of failures."""
    return [*[one for one in of_schema(1) if one["run"] == RUN], *side_by_side.records()]


class Tags(HTMLParser):
    """The names and attributes of all tags of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs if name != "srcset"]
        self.attributes += [("src", value or "") for name, value in attrs if name == "srcset"]


def acting(text: str) -> set[str]:
    """The characters of a text that act instead of showing, but for line ends."""
    return {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs")} - {"\n"}


@EVERY
def test_a_name_stays_text_on_every_page_and_in_its_html(tmp_path: Path, text: str) -> None:
    pages = report.render(hostile.spoiled(known(), text), [Problem(text, 1, text)])
    report.write(tmp_path, pages)
    allowed = {"details", "summary", "sub", "br", "b", "span", "picture", "source", "img"}
    for path, page in pages.items():
        single = r"[a-z0-9-]+/[A-Za-z0-9.-]+/([a-z0-9.-]+|README)\.md"
        assert re.fullmatch(rf"README\.md|[a-z0-9-]+/README\.md|models/[A-Za-z0-9.-]+\.md|{single}", path)
        assert acting(page) == set()
        tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(page)
        inline = [child for token in tokens for child in token.children or []]
        raw = "".join(token.content for token in [*tokens, *inline] if token.type in ("html_block", "html_inline"))
        tags = Tags(raw)
        assert set(tags.names) <= allowed
        plain = [(name, value) for name, value in tags.attributes if name not in ("media", "alt")]
        assert all(value in STATES if name == "class" else DRAWING.fullmatch(value) for name, value in plain)
        assert "image" not in {token.type for token in inline}
        targets = [str(token.attrGet("href")) for token in inline if token.type == "link_open"]
        assert all(re.fullmatch(r"[A-Za-z0-9./_%-]+\.(md|jsonl)", target) for target in targets)
        headings = [token.tag for token in tokens if token.type == "heading_open"]
        assert headings.count("h1") == 1
        judge_html(site.page(path, page))
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(pages)


def judge_html(document: str) -> None:
    """Nothing in a document runs, asks for anything outside, or stands where the page's own parts belong."""
    tree = LexborHTMLParser(document)
    assert tree.head is not None
    assert {node.tag for node in tree.css("head *")} == {"meta", "title", "link", "script"}
    assert [node.attributes.get("src") for node in tree.css("script")] == [
        (node.attributes.get("src") or "") for node in tree.css("head > script")
    ]
    assert len(tree.css("script")) == len(tree.css("link")) == len(tree.css("main")) == 1
    names = {node.tag for node in tree.css("main *")}
    assert names <= {*site._ELEMENTS, "div", "nav"}
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            assert not name.startswith("on"), (name, value)
            assert name not in ("style", "srcdoc", "formaction")
            if name in ("src", "srcset") and node.tag != "script":
                assert DRAWING.fullmatch(value or ""), value
    for node in tree.css("main a"):
        target = node.attributes.get("href") or ""
        assert re.fullmatch(r"(#[a-z0-9-]+|[A-Za-z0-9./_%-]+\.(html|jsonl))", target), target


def test_a_name_stays_text_in_every_drawing() -> None:
    """All names at once: an engine of JavaScript is started for it."""
    some = [*side_by_side.records(), *traded.records(), *of_schema(2)]
    shown = report.render(hostile.named(some, list(hostile.PAYLOADS.values()))).figures
    assert len(shown) > 5
    seen = ""
    for svg in drawing.draw([drawing.themed(figure.spec, "light") for figure in shown]):
        assert acting(svg) == set()
        for node in ElementTree.fromstring(svg).iter():
            name = node.tag.rpartition("}")[2]
            assert name in {"svg", "rect", "g", "path", "text", "tspan", "line", "defs", "clipPath", "title"}
            assert not [key for key in node.attrib if key.startswith("on") or key.endswith("href") or key == "style"]
            seen += node.text or ""
    assert "onerror" in seen, "the names are in the drawings"


@EVERY
def test_a_name_is_no_formula_and_no_escape_in_an_export(text: str, tmp_path: Path) -> None:
    every = hostile.named(of_schema(2), [text])
    every = [record for record in every if record["kind"] != "bandwidth"]
    for record in every:
        if record["kind"] == "launch":
            record["payload"]["validity"] = {"state": "VALID", "reasons": []}
    runs = summary.runs(every)
    for form in forms.FORMATS:
        content = forms.export(runs, form)
        if form == "parquet":
            path = tmp_path / "figures.parquet"
            path.write_bytes(content)
            cells = [str(cell) for row in duckdb.sql(f"SELECT * FROM '{path}'").fetchall() for cell in row]
            assert cells
            assert set().union(*map(acting, cells)) == set()
            continue
        decoded = content.decode("utf-8")
        assert acting(decoded) == set(), form
        if form == "csv":
            lines = list(csv.reader(io.StringIO(decoded)))
            assert len({len(line) for line in lines}) == 1
            numbers = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
            assert not [
                cell for line in lines for cell in line if cell.startswith(FORMULA) and not numbers.fullmatch(cell)
            ]
        elif form in ("llama-bench",):
            assert all(isinstance(json.loads(line), dict) for line in decoded.splitlines())
        elif form != "openmetrics":
            json.loads(decoded)
        else:
            assert decoded.endswith("# EOF\n")
            sample = re.compile(r'cloudbench_llama_\w+\{(\w+="([^"\\\n]|\\[\\n"])*",?)+\} \S+')
            assert all(line.startswith("# ") or sample.fullmatch(line) for line in decoded.splitlines())


@EVERY
def test_a_name_does_not_steer_the_terminal(text: str, tmp_path: Path) -> None:
    every = hostile.spoiled(of_schema(2), text)
    run = every[0]["run"]
    lines = terminal.lines(every, run, str(tmp_path))
    lines += terminal.lines(hostile.spoiled(of_schema(1), text), RUN, str(tmp_path))
    assert lines
    assert all(line.isprintable() for line in lines)


@EVERY
def test_a_comparison_of_such_names_is_refused_or_told(text: str) -> None:
    runs = summary.runs(hostile.named(side_by_side.records(), [text]))
    for command in compare.offers(runs):
        # What is offered is to be pasted into a shell.
        assert "\n" not in command
        assert not re.search(r"[$`;|&<>(){}]", re.sub(r"'[^']*'", "", command)), command


# A component of a path on every file system, that needs no quoting anywhere.
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@EVERY
def test_a_name_is_no_path(text: str) -> None:
    page = summary.page_path("box", {"model": text, "quantization": text})
    for path in (
        page,
        summary.model_path(text),
        summary.tuned_path(page),
        summary.tuned_file(summary.tuned_path(page)),
    ):
        assert all(map(PART.fullmatch, path.split("/"))), path
    with pytest.raises(records.RecordError, match="is no file name") as refused:
        records.component(text, "machine")
    assert len(str(refused.value)) < 300


@EVERY
def test_a_record_of_such_a_machine_or_run_is_written_nowhere(text: str, tmp_path: Path) -> None:
    record = of_schema(2)[0]
    for field in ("machine", "run"):
        with pytest.raises(records.RecordError, match="is no file name"):
            records.append(tmp_path / "results", [{**record, field: text}])
    assert list(tmp_path.rglob("*")) == []
