# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub Flavored Markdown in which foreign strings stay text.

`Markdown` marks what is markup already; every builder here, and the templates through `finalize`, escapes what is
not. A string from a remote host therefore has to be made markup on purpose before it can act as markup.

Sources: CommonMark 0.31, the GFM spec 0.29, and what GitHub does to text after that (autolinks, mentions, emoji
names, mathematics).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import NOT_AVAILABLE

# SHORT: long enough for a sentence or a sha256, short enough that one cell does not own the page. LONG: what a
# paragraph may hold, so that a megabyte of somebody's log is no megabyte of page.
SHORT = 200
LONG = 2000

LEFT, RIGHT = ":--", "--:"


class Markdown(str):
    """A string that is markdown already and is not escaped again."""

    __slots__ = ()


def visible(value: object, keep_lines: bool = False) -> str:
    r"""Return `value` as a string without any character that acts instead of showing.

    Control, format (bidirectional overrides, zero width), private and surrogate characters become `\u202e` and the
    like. White space becomes single spaces, or stays as lines and spaces with `keep_lines`.
    """
    string = str(value)
    if keep_lines:
        string = re.sub(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", string).replace("\t", "    ")
    else:
        # A no-break space shows as itself and holds a figure and its unit together.
        string = re.sub(r"[^\S\u00a0]+", " ", string).strip()
    # Nothing in it acts: Python calls such characters unprintable, and line ends and the no-break space.
    if string.replace("\n", "").isprintable():
        return string
    shown = []
    for character in string:
        if character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs"):
            character = ascii(character)[1:-1]
        shown.append(character)
    return "".join(shown)


def shorten(string: str, limit: int | None = SHORT) -> str:
    """Return `string`, cut to `limit` characters of which the last is then an ellipsis. None does not cut."""
    if limit is None or len(string) <= limit:
        return string
    return string[: limit - 1].rstrip() + "…"


# GitHub makes links, mentions, emoji and formulas of plain text after parsing it, where neither a backslash nor an
# entity counts. Markup between the characters does; GitHub's own advice for a dollar sign is this span.
_MADE_ACTIVE = re.compile(
    r"(?<=[A-Za-z]):(?=//)"  # https://...
    r"|(?<=[wW]{3})\."  # www.example.com
    r"|[@$]"  # @name, name@example.com, $formula$
    r"|:(?=[A-Za-z0-9_+-]{0,40}[A-Za-z+-][A-Za-z0-9_+-]{0,40}:|100:|1234:)"  # :rocket:, but not 15:55:23
)
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
_SPECIAL.update((character, "\\" + character) for character in "\\`*[]~#")
_ESCAPES = str.maketrans(_SPECIAL)
# A name such as Q4_0 keeps its underscore bare: inside a word it means nothing.
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# What would start a list, a rule, an underlined heading or a table at the beginning of a line.
_STARTS_BLOCK = re.compile(r"^(?:([-+])(?=\s|$)|([-=:])(?=[-=:\s]*$)|(\d{1,9})(?=[.)](?:\s|$)))")


# Most of what a page holds: words and figures of which no character means anything, wherever they stand.
_NOTHING_TO_DO = re.compile(
    r"(?![ \u00a0]|\d{1,9}[.)](?:[ \u00a0]|$))"  # 1. and 1) start a list
    r"(?:[A-Za-z0-9,%/()\u00b1\u00a0]"
    r"|(?<=[A-Za-z0-9])[._-](?=[A-Za-z0-9])(?<![wW]{3}.)"
    r"|(?<=[0-9]):(?=[0-9]{2}(?![0-9]))|(?<=[A-Za-z0-9]):(?= [A-Za-z0-9])|(?<= )=(?= )"
    r"| (?=[A-Za-z0-9=(]))+(?<![ \u00a0])",
    re.ASCII,
)


def _spans(plain: str, escape: Callable[[str], str]) -> str:
    """Escape the pieces of `plain` and put what GitHub would act on into spans of its own."""
    pieces, end = [], 0
    for match in _MADE_ACTIVE.finditer(plain):
        pieces += [escape(plain[end : match.start()]), f"<span>{match.group()}</span>"]
        end = match.end()
    return "".join(pieces) + escape(plain[end:])


def _escape(piece: str) -> str:
    return _UNDERSCORE.sub(r"\\_", piece.translate(_ESCAPES))


def _starts_block(match: re.Match[str]) -> str:
    return match.group() + "\\" if match.group(3) else "\\" + match.group()


def text(value: object, limit: int | None = SHORT) -> Markdown:
    """Return `value` as inline text for any place: paragraph, heading, link text, list item, table cell.

    Markdown comes back as it is. None is N/A.
    """
    if isinstance(value, Markdown):
        return value
    if value is None:
        return Markdown(NOT_AVAILABLE)
    if isinstance(value, str) and (limit is None or len(value) <= limit) and _NOTHING_TO_DO.fullmatch(value):
        return Markdown(value)
    return Markdown(_STARTS_BLOCK.sub(_starts_block, _spans(shorten(visible(value), limit), _escape)))


def code(value: object, limit: int | None = SHORT) -> Markdown:
    """Return `value` as a code span on one line; None and the empty string are N/A (there is no empty span)."""
    plain = shorten(visible("" if value is None else value), limit)
    if not plain:
        return Markdown(NOT_AVAILABLE)
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    ticks = "`" * (longest + 1)
    return Markdown(ticks + pad + plain + pad + ticks)


def fenced(value: object, language: str = "text", limit: int | None = None) -> Markdown:
    """Return `value` as a fenced block, its lines kept. `language` is ours, never a foreign string."""
    plain = shorten(visible(value, keep_lines=True).strip("\n"), limit)
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Markdown(f"{ticks}{language}\n{plain}\n{ticks}")


def bold(value: object, limit: int | None = SHORT) -> Markdown:
    """Return `value` as strong text: by asterisks where they bind, by HTML beside other characters."""
    shown = text(value, limit)
    if re.fullmatch(r"[A-Za-z0-9](.*[A-Za-z0-9%])?", shown):
        return Markdown(f"**{shown}**")
    return Markdown(f"<b>{shown}</b>")


def heading(level: int, value: object) -> Markdown:
    """Return a heading of `level` 1 to 6."""
    return Markdown("{} {}".format("#" * level, text(value)))


def link(label: object, path: str) -> Markdown:
    """Return a link to a relative `path` (slashes separate, everything unusual is percent-encoded).

    A colon is encoded too, so that no path can become a link with a scheme.
    """
    return Markdown("[{}]({})".format(text(label), quote(path.encode("utf-8", "backslashreplace"), safe="/")))


def join(values: Iterable[object], separator: str = ", ") -> Markdown:
    """Return the escaped `values`, joined by a `separator` of ours."""
    return Markdown(separator.join(text(value) for value in values))


def lines(*values: object | None) -> Markdown:
    """Return the values that are not None or empty on lines of their own inside one table cell."""
    return Markdown("<br>".join(text(value) for value in values if value not in (None, "")))


def small(value: object) -> Markdown:
    """Return `value` in small print."""
    return Markdown(f"<sub>{text(value)}</sub>")


def state(name: str, words: object) -> Markdown:
    """Return how far a figure holds, in small print that the site has a colour for; `name` is ours."""
    return Markdown(f'<sub class="{name.lower()}">{text(words)}</sub>')


def bullets(values: Iterable[object]) -> Markdown:
    """Return an unordered list, an item per line."""
    return Markdown("\n".join("- " + text(value, None) for value in values))


def alert(kind: str, body: str) -> Markdown:
    """Return a GitHub alert; `kind` is NOTE, TIP, IMPORTANT, WARNING or CAUTION. `body` is Markdown or text."""
    rows = [f"[!{kind}]"] + text(body, None).split("\n")
    return Markdown("\n".join(("> " + row).rstrip() for row in rows))


def details(summary: str, body: Markdown) -> Markdown:
    """Return a block that is closed until the reader opens it. `summary` is text, not markdown."""
    shown = _spans(shorten(visible(summary)), html.escape)
    return Markdown(f"<details>\n<summary>{shown}</summary>\n\n{body}\n\n</details>")


Cell = str | None


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]]) -> Markdown:
    """Return a table; `columns` are (title, LEFT or RIGHT), rows have a cell for each. None is N/A.

    Raises ValueError when a row does not have as many cells as there are columns.
    """
    body = []
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells does not fit a table of {len(columns)} columns")
        body.append(_table_row(row))
    head = [
        _table_row([title for title, _align in columns]),
        f"|{'|'.join(align for _title, align in columns)}|",
    ]
    return Markdown("\n".join(head + body))


def _table_row(cells: Sequence[Cell]) -> str:
    shown = [cell if isinstance(cell, Markdown) else text(cell) for cell in cells]
    row = " | ".join(shown)
    if "\n" in row or row.count("|") >= len(shown):
        # text() leaves no bar behind, so any that is left stands in a code span, where a table wants it escaped.
        row = " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in shown)
    return f"| {row} |"


def finalize(value: object) -> str:
    """For jinja2.Environment(finalize=...): escape every value a template prints that is not Markdown."""
    return text(value, LONG)
