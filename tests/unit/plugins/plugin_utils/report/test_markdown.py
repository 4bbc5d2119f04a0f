# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A foreign string stays text wherever it is put: two parsers read the markdown, one of them GitHub's own."""

from __future__ import annotations

import html.parser
import random
import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

HOSTILE = [
    "plain words",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "|",
    "||",
    "--- | ---",
    "|---|",
    "\\",
    "trailing \\",
    "`code`",
    "`",
    "``",
    "a`",
    "`a",
    "a``b`c",
    "`|`",
    "```sh",
    "~~~",
    "~~no~~",
    "*a* **b** ***",
    "_a_ __b__ a_b_c _",
    "Q4_0",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</details></td></table>",
    "<!-- comment -->",
    "<https://example.com>",
    "&lt;b&gt; &amp; &#124; &nbsp;",
    "[x](javascript:alert(1))",
    "[x]: https://example.com",
    "![x](https://example.com/x.png)",
    "[^1]",
    "[!NOTE]",
    "[ ] task",
    "https://example.com/a_b?c=d&e=f",
    "HTTP://EXAMPLE.COM",
    "ftp://example.com/x",
    "www.example.com",
    "WWW.example.com",
    "me@example.com",
    "mailto:me@example.com",
    "@somebody",
    "#1 GH-1",
    "$x^2$ and $$y$$",
    ":rocket: :+1: :100:",
    "2026-11-23T15:55:23Z",
    "# heading",
    "heading #",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "1) item",
    "12.5",
    "-1.5",
    "> quote",
    "---",
    "===",
    ":-:",
    "-",
    "=",
    "first\nsecond",
    "first\n\n# second",
    "first\r\nsecond\rthird",
    "a\tb",
    "    indented",
    "a  b  ",
    "\u202egnp.exe\u202c",
    "\u2066isolated\u2069",
    "zero\u200bwidth\ufeff",
    "\x1b[31mred\x1b[0m",
    "\x00\x07\x7f",
    "\x85\u2028\u2029line",
    "\ud800 alone",
    "\U000e0041 tag",
    "\ue000 private",
    "日本語 é ±",
    "x" * 500,
    "|`<" * 200,
    "{{ 7 * 7 }} {% raw %}",
    "'quotes' \"double\"",
]


class _Reader(html.parser.HTMLParser):
    """Collect the names of elements with their links, and the text of each of the `wanted` elements."""

    def __init__(self, wanted: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wanted = wanted
        self.elements: set[str] = set()
        self.links: list[str | None] = []
        self.texts: list[str] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") or name.startswith("on")]
        if tag == self.wanted:
            self.depth += 1
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == self.wanted

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.texts[-1] += data


Parser = Callable[[str, str], _Reader]


def with_markdown_it(source: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source)


def with_cmark_gfm(source: str) -> str:
    cmarkgfm = pytest.importorskip("cmarkgfm")
    options = cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE | cmarkgfm.cmark.Options.CMARK_OPT_FOOTNOTES
    return str(cmarkgfm.github_flavored_markdown_to_html(source, options))


@pytest.fixture(params=[with_markdown_it, with_cmark_gfm], ids=["markdown-it", "cmark-gfm"])
def parse(request: pytest.FixtureRequest) -> Parser:
    def read(source: str, wanted: str) -> _Reader:
        reader = _Reader(wanted)
        reader.feed(request.param(source))
        return reader

    return read


class Place(NamedTuple):
    """Where a string may be put, the element it is then in with all others there are, and what is read in it."""

    name: str
    build: Callable[[str], str]
    element: str
    elements: set[str]
    read: Callable[[str], str]


def same(shown: str) -> str:
    return shown


CELL = {"table", "thead", "tbody", "tr", "th", "td"}


def cell(value: str) -> str:
    """Put a string into a cell of a row that has another one."""
    return markdown.table([("One", LEFT), ("Two", RIGHT)], [[value, "end"]])


PLACES = [
    Place("paragraph", lambda s: markdown.text(s, None), "p", {"p"}, same),
    Place("line", lambda s: "First\n" + markdown.text(s, None), "p", {"p"}, lambda s: "First\n" + s),
    Place("heading", lambda s: markdown.heading(2, markdown.text(s, None)), "h2", {"h2"}, same),
    Place("list", lambda s: markdown.bullets([markdown.text(s, None)]), "li", {"ul", "li"}, same),
    Place("bold", lambda s: f"x {markdown.bold(s, None)} y", "p", {"p", "strong", "b"}, lambda s: f"x {s} y"),
    Place("small", lambda s: markdown.small(markdown.text(s, None)), "sub", {"p", "sub"}, same),
    Place(
        "alert", lambda s: markdown.alert("TIP", markdown.text(s, None)), "p", {"blockquote", "p"}, "[!TIP]\n{}".format
    ),
    Place("link", lambda s: markdown.link(markdown.text(s, None), "a/b.md"), "a", {"p", "a"}, same),
    Place(
        "summary",
        lambda s: markdown.details(s, Markdown("x")),
        "summary",
        {"details", "summary", "p"},
        markdown.shorten,
    ),
    Place("code", lambda s: f"x {markdown.code(s, None)} y", "code", {"p", "code"}, same),
    Place("cell", lambda s: cell(markdown.text(s, None)), "tr", CELL, lambda s: f"\n{s}\nend\n"),
    Place("code cell", lambda s: cell(markdown.code(s, None)), "tr", {*CELL, "code"}, lambda s: f"\n{s}\nend\n"),
    Place(
        "bold cell",
        lambda s: cell(markdown.bold(s, None)),
        "tr",
        {*CELL, "strong", "b"},
        lambda s: f"\n{s}\nend\n",
    ),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_string_stays_text(parse: Parser, place: Place) -> None:
    wrong = []
    for value in HOSTILE:
        reader = parse(place.build(value), place.element)
        read = reader.texts[-1]
        foreign = reader.elements - {"span"} - place.elements
        links = [target for target in reader.links if target != "a/b.md"]
        expected = place.read(markdown.visible(value))
        if foreign or links or " ".join(read.split()) != " ".join(expected.split()):
            wrong.append((value, foreign, links, read, expected))
    assert not wrong


@pytest.mark.parametrize("value", ["", "```\n````\n~~~\n", "a\n\n\nb", "\n\nx\n", "\n".join(HOSTILE)], ids=range(5))
def test_a_fenced_block_keeps_lines_and_nothing_else(parse: Parser, value: str) -> None:
    reader = parse("before\n\n" + markdown.fenced(value) + "\n\nafter", "code")
    assert reader.elements == {"p", "pre", "code"}
    assert reader.texts == [markdown.visible(value, keep_lines=True).strip("\n") + "\n"]
    assert not reader.links


def test_nothing_invisible_is_left() -> None:
    hidden = set("\u202e\u202c\u2066\u2069\u200b\ufeff\x1b\x00\x07\x7f\x85\u2028\u2029\ud800\ue000\U000e0041")
    for value in HOSTILE:
        for shown in (markdown.text(value), markdown.code(value), markdown.fenced(value)):
            assert not set(shown) & hidden
            shown.encode("utf-8")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a/b.md", "a/b.md"),
        ("../../README.md", "../../README.md"),
        ("a b/ü(1).md", "a%20b/%C3%BC%281%29.md"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("a)](x", "a%29%5D%28x"),
        ("\ud800", "%5Cud800"),
    ],
)
def test_a_link_leads_where_it_says(parse: Parser, path: str, target: str) -> None:
    reader = parse(markdown.link("label", path), "a")
    assert reader.links == [target]
    assert reader.texts == ["label"]


def test_only_what_is_marked_as_markdown_is_markdown() -> None:
    assert markdown.text("**a**") == "\\*\\*a\\*\\*"
    assert markdown.text(Markdown("**a**")) == "**a**"
    assert markdown.finalize("<b>") == "&lt;b&gt;"
    assert markdown.join(["*", Markdown("*")]) == "\\*, *"
    assert markdown.lines("*", None, "", Markdown("*")) == "\\*<br>*"


def test_what_is_not_known_is_not_available() -> None:
    assert markdown.text(None) == "N/A"
    assert markdown.code(None) == "N/A"
    assert markdown.code("") == "N/A"
    assert markdown.table([("A", LEFT)], [[None]]).endswith("| N/A |")


def test_long_strings_are_cut_and_say_so() -> None:
    assert markdown.text("x" * 500) == "x" * (markdown.SHORT - 1) + "…"
    assert markdown.code("x" * 500) == "`" + "x" * (markdown.SHORT - 1) + "…`"
    assert markdown.shorten("x" * markdown.SHORT) == "x" * markdown.SHORT


def test_a_row_must_fit_its_table() -> None:
    with pytest.raises(ValueError, match="a row of 2 cells does not fit a table of 1 columns"):
        markdown.table([("A", LEFT)], [["1", "2"]])


def test_a_table_reads_well_in_its_source() -> None:
    assert markdown.table([("Name", LEFT), ("token/s", RIGHT)], [["Q4_0", "38.2"]]) == (
        "| Name | token/s |\n|:--|--:|\n| Q4_0 | 38.2 |"
    )


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("@somebody", "<span>@</span>somebody"),
        ("$x$", "<span>$</span>x<span>$</span>"),
        (":rocket:", "<span>:</span>rocket:"),
        (":100:", "<span>:</span>100:"),
        ("15:55:23", "15:55:23"),
        ("a: b: c", "a: b: c"),
    ],
)
def test_what_github_would_act_on_after_parsing_is_kept_apart(value: str, source: str) -> None:
    assert markdown.text(value) == source


def test_the_quick_way_gives_what_the_whole_way_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is escaped of what is let through as harmless; the whole way is asked about the same strings."""
    draw = random.Random(7)
    plain = ["a", "W", "1", " ", ".", ",", "%", "/", "\u00a0", ":", "_", "-", "(", ")", "=", "\u00b1", "www", "55"]
    alphabets = (plain, [*plain, "*", "\n", "\u202e", "\u00e9", "|"])
    values = ["".join(draw.choices(alphabets[at % 2], k=draw.randint(0, 8))) for at in range(60_000)]
    quick = [markdown.text(value) for value in values]
    assert sum(bool(markdown._NOTHING_TO_DO.fullmatch(value)) for value in values) > 500
    monkeypatch.setattr(markdown, "_NOTHING_TO_DO", re.compile("(?!)"))
    assert quick == [markdown.text(value) for value in values]
