# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site is made of the pages, is the same twice, and takes no directory that is not its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]


@pytest.fixture
def made(tmp_path: Path, real: list[Record]) -> tuple[Path, report.Pages]:
    records.append(tmp_path / "results", real)
    read = records.read(tmp_path / "results")
    pages = report.render(read.records, read.problems)
    report.write(tmp_path / "results", pages, pages.figures)
    return tmp_path, pages


def test_every_page_figure_and_record_is_there_and_twice_is_the_same(made: tuple[Path, report.Pages]) -> None:
    root, pages = made
    changed = site.write(root / "site", root / "results", pages)
    assert {site.html_path(path) for path in pages} <= set(changed)
    assert {"assets/site.css", "assets/site.js", "assets/vega.js", "assets/vega-LICENSE.txt"} <= set(changed)
    assert len([path for path in changed if path.endswith(".svg")]) == 2 * len(pages.figures)
    assert [path for path in changed if path.endswith(".jsonl")]
    assert site.write(root / "site", root / "results", pages) == []
    first = {path: (root / "site" / path).read_bytes() for path in changed}
    site.write(root / "again", root / "results", pages)
    assert first == {path: (root / "again" / path).read_bytes() for path in changed}


def test_many_pages_are_made_by_processes_and_only_those_that_changed(
    made: tuple[Path, report.Pages], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, pages = made
    site.write(root / "site", root / "results", pages)
    monkeypatch.setattr(site, "PER_PROCESS", 2)
    site.write(root / "by-processes", root / "results", pages)
    for path in pages:
        name = site.html_path(path)
        assert (root / "by-processes" / name).read_bytes() == (root / "site" / name).read_bytes()
    monkeypatch.setattr(site, "page", lambda path, text: f"made again, {site.digest(text)}")
    pages["README.md"] += "\nOne line more.\n"
    assert site.write(root / "site", root / "results", pages) == ["index.html"]
    assert (root / "site" / "index.html").read_text().startswith("made again")


def test_the_site_names_no_address_outside(made: tuple[Path, report.Pages]) -> None:
    _root, pages = made
    htmls = {site.html_path(path): site.page(path, text) for path, text in pages.items()}
    for path, text in {**htmls, **site.assets()}.items():
        if path.endswith((".html", ".css")) or path == "assets/site.js":
            loaded = re.findall(r"(?:src|srcset|href)=[\"']([^\"']+)|url\(([^)]+)\)|import\s", text)
            assert not [one for one in loaded if "//" in "".join(one)], path
    assert "default-src 'none'" in site.page("README.md", pages["README.md"]).replace("&#x27;", "'")


def test_what_is_no_page_any_more_is_removed_and_a_foreign_directory_is_left_alone(
    made: tuple[Path, report.Pages],
) -> None:
    root, pages = made
    site.write(root / "site", root / "results", pages)
    none = report.render([])
    changed = site.write(root / "site", root / "results", none)
    assert any(path.endswith("q4.html") for path in changed)
    assert not list((root / "site").glob("*/*/*.html"))
    (root / "mine").mkdir()
    (root / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(site.SiteError, match="holds files that are no site of ours: name an empty or a new directory"):
        site.write(root / "mine", root / "results", pages)
    assert [path.name for path in (root / "mine").iterdir()] == ["thesis.txt"]


def test_markdown_becomes_what_html_has_and_markdown_has_not() -> None:
    text = (
        f"{report.MARKER}\n\n# A & B\n\n> [!CAUTION]\n> Loud.\n\n## Load\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n"
        "\n## Load\n\n[one](x/README.md) [two](q4.md) [three](records/r.jsonl)\n\n<script>bad()</script>\n"
    )
    made = site.page("box/m/q4.md", text)
    assert "<title>A &amp; B</title>" in made
    assert '<div class="alert caution" role="note"><p class="alert-title">Caution</p>\n<p>Loud.</p>' in made
    assert made.count("<div") == made.count("</div>") == 2
    assert '<h2 id="load">' in made
    assert '<h2 id="load-2">' in made
    assert 'aria-label="Table 1: Load"' in made
    assert 'href="x/index.html"' in made
    assert 'href="q4.html"' in made
    assert 'href="records/r.jsonl"' in made
    assert "<script>bad" not in made
    assert 'href="../../assets/site.css"' in made


def test_without_vl_convert_the_site_says_what_is_missing(
    made: tuple[Path, report.Pages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, pages = made
    monkeypatch.setattr(drawing, "__file__", str(tmp_path / "drawing.py"))
    (tmp_path / "drawing_process.py").write_text("import no_such_module_vl_convert\n")
    site._vega.cache_clear()
    with pytest.raises(drawing.DrawingError):
        site.write(root / "site", root / "results", pages)
    site._vega.cache_clear()
