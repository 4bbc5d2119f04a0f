# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML site: the pages as they are, with tables that sort and filter, in a directory that needs nothing else.

It loads nothing from outside, works from file:// and can be read without JavaScript. Markdown becomes HTML by
cmark-gfm, which is what GitHub renders with; the drawings are those beside the pages.
"""

from __future__ import annotations

import hashlib
import html
import multiprocessing
import os
import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing, figures
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import files, records

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# Lies in every directory that this module has written, and says that its files may be removed again.
OWNER = ".cloudbench-site"
ASSETS = Path(__file__).with_name("assets")
VEGA = "assets/vega.js"
VEGA_FIRST = f"// Vega, Vega-Lite and Vega-Embed as {drawing.DRAWN_WITH} brings them along.\n"
# Pages that one process makes.
PER_PROCESS = 50
# Nothing is loaded but from the site itself. Vega writes style attributes; its expressions are interpreted, not made
# into code. A page opened from disk has no origin that 'self' could mean in every browser, hence the scheme.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: data: blob:; "
    "style-src 'self' file: 'unsafe-inline'; script-src 'self' file:"
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
ALERTS = {"NOTE": "Note", "TIP": "Tip", "IMPORTANT": "Important", "WARNING": "Warning", "CAUTION": "Caution"}

_ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*\n?")
# What markdown makes and what our own HTML is made of. Any other element came from elsewhere, and is shown as text.
_ELEMENTS = frozenset({
    "a", "b", "blockquote", "br", "code", "del", "details", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "input", "li", "ol", "p", "picture", "pre", "source", "span", "strong", "sub", "summary", "table", "tbody", "td",
    "th", "thead", "tr", "ul",
})  # fmt: skip
_FOREIGN = f":not({', '.join(sorted(_ELEMENTS))})"
_DRESSED = ", ".join((*_HEADINGS, "a", "blockquote", "picture", "pre", "table", "th"))
# Sections from which on a page has a list of them at its head.
MANY_SECTIONS = 5
REPOSITORY = "https://github.com/cloudbench/llama"
# What a reader may want beside the pages.
_OUTSIDE = {
    "README": f"{REPOSITORY}#readme",
    "Method": f"{REPOSITORY}/blob/main/docs/method.md",
    "Repository": REPOSITORY,
}
# No element is in a page whose name stands nowhere behind a bracket: most pages need no second look.
_TAG = re.compile(r"<([a-zA-Z][^\s/>]*)")


class SiteError(ValueError):
    """A site that cannot be written; the message names the path, the rule and the remedy."""


def html_path(path: str) -> str:
    """Return the path of the HTML page of a markdown page."""
    folder, file = posixpath.split(path)
    name = "index.html" if file == summary.INDEX else f"{file.removesuffix('.md')}.html"
    return posixpath.join(folder, name)


def _slug(text: str, used: dict[str, int]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "section"
    used[base] = used.get(base, 0) + 1
    return base if used[base] == 1 else f"{base}-{used[base]}"


def body(markdown: str) -> tuple[str, str]:
    """Return the text of the first heading and the HTML of a page of ours.

    It has what HTML has and markdown has not: names of tables, anchors, roles, a list of the sections of a long page.
    """
    # Here, so that whoever only writes pages needs neither.
    import cmarkgfm
    from cmarkgfm.cmark import Options
    from selectolax.lexbor import LexborHTMLParser

    text = markdown.removeprefix(report.MARKER).lstrip()
    # Unsafe says that HTML passes: ours does, what comes from a host is escaped already. The tag filter of GFM stays.
    made = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    # Read as a browser reads it, so that nothing that is left open reaches beyond the page.
    tree = LexborHTMLParser(made, is_fragment=True)
    if not _ELEMENTS.issuperset(map(str.lower, _TAG.findall(made))):
        while (foreign := tree.css_first(_FOREIGN)) is not None:
            # What it encloses may be ours: only its own tag becomes text.
            foreign.insert_before(f"{(foreign.html or '').partition('>')[0]}>")
            while (child := foreign.first_child) is not None:
                foreign.insert_before(child, move=True)
            foreign.decompose()
    title, sections = _dressed(tree)
    made = tree.html or ""
    if len(sections) >= MANY_SECTIONS:
        head, end, rest = made.partition("</h1>")
        made = f"{head}{end}\n{_contents(sections)}{rest}" if end else f"{_contents(sections)}{made}"
    return title, made


def _contents(sections: Sequence[tuple[str, str]]) -> str:
    """Return the list of the sections of a page, each an anchor and a title."""
    items = "".join(f'<li><a href="#{anchor}">{html.escape(title)}</a></li>\n' for anchor, title in sections)
    return f'<nav class="contents" aria-label="Contents"><ul>\n{items}</ul></nav>\n'


def _dressed(tree: LexborHTMLParser) -> tuple[str, list[tuple[str, str]]]:
    """Give the elements of a page what they lack; return the text of its first heading, and its sections."""
    used: dict[str, int] = {}
    sections: list[tuple[str, str]] = []
    title, heading, level, tables, figures_seen = "", "", 0, 0, 0
    for node in tree.css(_DRESSED):
        tag = node.tag or ""
        if tag == "th":
            node.attrs["scope"] = "col"
        elif tag in _HEADINGS:
            heading = node.text().strip()
            title = title or heading
            # A closed block has headings of its own, which may not leave out a level of the page.
            level = min(_HEADINGS.index(tag) + 1, level + 1)
            anchor = _slug(heading, used)
            _renamed(tree, node, _HEADINGS[level - 1]).attrs["id"] = anchor
            if level == 2:
                sections.append((anchor, heading))
        elif tag == "table":
            tables += 1
            _scroll(tree, node, f"Table {tables}: {heading}")
        elif tag == "a":
            path = node.attrs.sget("href")
            if path.endswith(".md") and ":" not in path:
                node.attrs["href"] = html_path(path)
        elif tag == "blockquote":
            _alert(tree, node)
        elif tag == "pre":
            node.attrs["tabindex"] = "0"
        elif tag == "picture" and node.parent is not None and node.parent.tag == "p":
            # On a phone a figure keeps its size, and this scrolls.
            figures_seen += 1
            place = {"class": "figure", "role": "group", "tabindex": "0", "aria-label": f"Figure {figures_seen}"}
            for name, value in place.items():
                node.parent.attrs[name] = value
    return title, sections


def _scroll(tree: LexborHTMLParser, table: LexborNode, label: str) -> None:
    """Put a table into a region that scrolls by itself and has a name."""
    region = tree.create_node("div")
    for name, value in {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": label}.items():
        region.attrs[name] = value
    table.insert_before(region, move=True)
    region.insert_child(table, move=True)


def _renamed(tree: LexborHTMLParser, node: LexborNode, tag: str) -> LexborNode:
    """Return `node`, or an element of that tag in its place with all that it holds."""
    if node.tag == tag:
        return node
    other = tree.create_node(tag)
    while (child := node.first_child) is not None:
        other.insert_child(child, move=True)
    node.replace_with(other, move=True)
    return other


def _alert(tree: LexborHTMLParser, quote: LexborNode) -> None:
    """Make an alert of a block quote that begins with [!NOTE] or its kin."""
    words = quote.css_first("p")
    opening = words.first_child if words and words.parent == quote else None
    match = _ALERT.match(opening.text_content or "") if opening and opening.is_text_node else None
    if words is None or opening is None or match is None:
        return
    kind = match.group(1)
    box, name = _renamed(tree, quote, "div"), tree.create_node("p")
    box.attrs["class"] = f"alert {kind.lower()}"
    box.attrs["role"] = "note"
    name.attrs["class"] = "alert-title"
    name.insert_child(ALERTS[kind])
    if box.first_child is not None and box.first_child.is_empty_text_node:
        box.first_child.decompose()
    words.insert_before(name, move=True)
    words.insert_before("\n")
    opening.replace_with((opening.text_content or "")[match.end() :])


@cache
def _program() -> bytes:
    """Return what stands for the programs that make HTML of markdown."""
    return Path(__file__).read_bytes() + (version("cmarkgfm") + version("selectolax")).encode()


def digest(markdown: str) -> str:
    """Return what the HTML of a page is known by: made of the same text by the same programs, it is the same."""
    return hashlib.sha256(_program() + markdown.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def page(path: str, markdown: str) -> str:
    """Return the HTML document of the markdown page `path`."""
    root = "../" * path.count("/")
    heading, made = body(markdown)
    title = html.escape(heading or "Results")
    here = "" if path == summary.INDEX else f'<a href="{root}index.html">All results</a>'
    outside = " · ".join(f'<a href="{address}">{name}</a>' for name, address in _OUTSIDE.items())
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="cloudbench.llama {digest(markdown)}">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f'<link rel="stylesheet" href="{root}assets/site.css">\n'
        f'<script defer src="{root}assets/site.js"></script>\n</head>\n'
        f'<body data-root="{root}">\n<a class="skip" href="#content">Skip to the content</a>\n'
        f'<header><span class="name">cloudbench.llama</span><nav aria-label="Site">{here}</nav></header>\n'
        f'<main id="content">\n{made}</main>\n'
        f"<footer>Made by cloudbench.llama from the records beside these pages. {outside}</footer>\n</body>\n</html>\n"
    )


@cache
def _vega() -> str:
    return f"{VEGA_FIRST}(()=>{{{drawing.bundle()}}})();\n"


def assets() -> dict[str, str]:
    """Return by path the texts that the pages share, without Vega."""
    return {f"assets/{asset.name}": asset.read_text("utf-8") for asset in sorted(ASSETS.iterdir())}


def _make(root: Path, made: Mapping[str, str]) -> list[str]:
    """Write the HTML of markdown pages by their paths; return the paths that changed."""
    paths = {path: html_path(path) for path in made}
    return [
        paths[path]
        for path, text in made.items()
        if _put(root / paths[path], page(path, text).encode("utf-8", "backslashreplace"))
    ]


def _make_all(root: Path, pages: Mapping[str, str]) -> list[str]:
    """Write the HTML of those pages that are not made already; return the paths that changed."""
    missing = [path for path, text in pages.items() if digest(text).encode() not in files.head(root / html_path(path))]
    if len(missing) <= PER_PROCESS:
        return _make(root, {path: pages[path] for path in missing})
    # cmarkgfm gives the memory of a page back to nobody: so many pages, and the process ends.
    tasks = [missing[at : at + PER_PROCESS] for at in range(0, len(missing), PER_PROCESS)]
    with multiprocessing.get_context("fork").Pool(report.processes(), maxtasksperchild=1) as pool:
        calls = ((root, {path: pages[path] for path in task}) for task in tasks)
        return [path for changed in pool.starmap(_make, calls, chunksize=1) for path in changed]


def copied(shown: Iterable[figures.Figure], results: Path) -> list[str]:
    """Return the paths of the files in the results directory that pages link to: drawings, records, variables."""
    drawings = [figures.file_name(figure.path, theme) for figure in shown for theme in drawing.THEMES]
    kept = [path.relative_to(results).as_posix() for path in records.paths(results)]
    kept += [path.relative_to(results).as_posix() for path in sorted(results.glob("*/tuned/*.yml"))]
    # A link would have the site publish what it leads to.
    near = [path for path in [*drawings, *kept] if not records.strange(results, results / path)]
    return [path for path in near if (results / path).is_file()]


def write(site: str | os.PathLike[str], results_dir: str | os.PathLike[str], pages: report.Pages) -> list[str]:
    """Write the site of `pages` into the directory `site`; return the paths that changed, removed ones included.

    Raises SiteError when the directory holds what is not ours, or when the disk refuses.
    """
    root, results = Path(site), Path(results_dir)
    if root.exists() and (not root.is_dir() or any(root.iterdir())) and not (root / OWNER).is_file():
        raise SiteError(f"{root} holds files that are no site of ours: name an empty or a new directory")
    try:
        for path in root.rglob("*"):
            reason = None if path.is_dir() and not path.is_symlink() else records.strange(root, path)
            if reason:
                raise SiteError(f"{path} is not of this site: {reason}, or name an empty or a new directory")
        root.mkdir(parents=True, exist_ok=True)
        (root / OWNER).touch()
        shared = assets()
        taken = copied(pages.figures, results)
        # Other processes make the pages meanwhile, and one takes two seconds for Vega.
        with ThreadPoolExecutor(2) as aside:
            known = files.head(root / VEGA).startswith(VEGA_FIRST.encode())
            vega = None if known else aside.submit(_vega)
            copies = aside.submit(lambda: [path for path in taken if _take(results / path, root / path)])
            documents = {path: text for path, text in pages.items() if path.endswith(".md")}
            changed = _make_all(root, documents)
            changed += [path for path, text in shared.items() if _put(root / path, text.encode())]
            changed += copies.result()
            if vega and _put(root / VEGA, vega.result().encode()):
                changed.append(VEGA)
        changed += _clear(root, {OWNER, VEGA, *map(html_path, documents), *shared, *taken})
    except ImportError as error:
        raise SiteError(
            f"the site needs cmarkgfm and selectolax: {error}; install requirements.txt of the collection"
        ) from error
    except OSError as error:
        raise SiteError(
            f"{error.filename or root} cannot be written: {error.strerror}; permit it or free space"
        ) from error
    return sorted(changed)


def _put(path: Path, content: bytes) -> bool:
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _take(source: Path, path: Path) -> bool:
    """Copy a file unless its copy has the same size and time."""
    here, there = source.stat(), path.stat() if path.is_file() else None
    if there and (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, path)
    return True


def _clear(root: Path, kept: Sequence[str] | set[str]) -> list[str]:
    """Remove the files that are not `kept`, and the directories that are empty then."""
    removed = []
    for folder, folders, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if relative not in kept:
                path.unlink()
                removed.append(relative)
        for name in folders:
            if not any(Path(folder, name).iterdir()):
                Path(folder, name).rmdir()
    return removed
