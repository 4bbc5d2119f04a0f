# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site is made of the pages, is the same twice, and takes no directory that is not its own."""

from __future__ import annotations

import copy
import os
import re
import shutil
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

SCHEMA_2 = Path(__file__).resolve().parents[4] / "fixtures" / "records" / "schema-2.jsonl"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, report.Pages]:
    """The results of a real run, and their pages: to draw the figures takes seconds."""
    results = tmp_path_factory.mktemp("drawn") / "results"
    records.append(results, [records.decode(line) for line in SCHEMA_2.read_bytes().splitlines()])
    read = records.read(results)
    pages = report.render(read.records, read.problems)
    report.write(results, pages, pages.figures)
    return results, pages


@pytest.fixture
def made(tmp_path: Path, drawn: tuple[Path, report.Pages]) -> tuple[Path, report.Pages]:
    """A copy of them for each test."""
    results, pages = drawn
    shutil.copytree(results, tmp_path / "results")
    return tmp_path, copy.deepcopy(pages)


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
            # A link to the repository is followed by whom it pleases, and loads nothing.
            own = re.sub(r'<a href="https://github\.com/cloudbench/llama[^"]*">', "", text)
            loaded = re.findall(r"(?:src|srcset|href)=[\"']([^\"']+)|url\(([^)]+)\)|import\s", own)
            assert not [each for each in loaded if "//" in "".join(each) and each], path
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


def test_a_site_publishes_nothing_that_a_link_leads_to(made: tuple[Path, report.Pages]) -> None:
    """A results directory may be a stranger's: a link in it would put any file of whoever makes the site into it."""
    root, pages = made
    secret = root / "id_ed25519"
    secret.write_text("a private key")
    for folder, name in (("records", "key.jsonl"), ("tuned", "key.yml")):
        place = next((root / "results").glob("*/records")).parent / folder
        place.mkdir(exist_ok=True)
        (place / name).symlink_to(secret)
    figure = root / "results" / site.copied(pages.figures, root / "results")[0]
    figure.unlink()
    figure.symlink_to(secret)
    os.mkfifo(next((root / "results").glob("*/records")) / "pipe.jsonl")
    site.write(root / "site", root / "results", pages)
    copied = [path for path in (root / "site").rglob("*") if path.is_file()]
    assert copied
    assert not [path for path in copied if b"a private key" in path.read_bytes()]
    assert not list((root / "site").rglob("pipe.jsonl"))


@pytest.mark.parametrize("name", ["index.html", "assets/site.js", ".cloudbench-site"])
def test_a_site_is_written_nowhere_but_in_its_directory(made: tuple[Path, report.Pages], name: str) -> None:
    """The directory may be a stranger's too, and its links lead where he wants something overwritten."""
    root, pages = made
    target = root / "profile"
    target.write_text("mine")
    place = root / "site" / name
    place.parent.mkdir(parents=True)
    (root / "site" / site.OWNER).touch()
    place.unlink(missing_ok=True)
    place.symlink_to(target)
    with pytest.raises(site.SiteError, match="is not of this site: it is a symbolic link that leads out"):
        site.write(root / "site", root / "results", pages)
    assert target.read_text() == "mine"
    place.unlink()
    folder = root / "elsewhere"
    folder.mkdir()
    (root / "site" / site.OWNER).touch()
    (root / "site" / "models").symlink_to(folder)
    with pytest.raises(site.SiteError, match="models is not of this site"):
        site.write(root / "site", root / "results", pages)
    assert list(folder.iterdir()) == []


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


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("<marquee>a</marquee>", "&lt;marquee&gt;a"),
        ("x <x-y onclick=1>q</x-y>", 'x &lt;x-y onclick="1"&gt;q'),
        ("x <svg><path d='>'></svg>", "x &lt;svg&gt;&lt;path d=&quot;&amp;gt;&quot;&gt;".replace("&quot;", '"')),
        ("x <FORM action=y>b", '&lt;form action="y"&gt;b'),
        ("<object><template><p>a</template>", "&lt;object&gt;&lt;template&gt;"),
        ("a\n\n</main></div></body>\n\nb", "<p>b</p>"),
    ],
)
def test_html_that_is_not_of_ours_is_text_and_reaches_no_further(foreign: str, shown: str) -> None:
    _title, made = site.body(f"{foreign}\n\n<sub>ours</sub>\n")
    assert shown in made
    assert "<p><sub>ours</sub></p>" in made
    assert not re.search(r"<(?!/?(?:p|sub)>)", made)


def test_an_alert_is_known_by_its_first_line_and_a_quote_stays_a_quote() -> None:
    quote = "<blockquote>\n<p>so they said</p>\n</blockquote>\n"
    assert site.body("> so they said\n")[1] == quote
    assert "<blockquote>" in site.body("> **[!NOTE]** no\n")[1]
    assert site.body("> so they said\n\n> [!TIP]\n> **Look**\n>\n> here\n")[1] == quote + (
        '<div class="alert tip" role="note"><p class="alert-title">Tip</p>\n<p><strong>Look</strong></p>\n'
        "<p>here</p>\n</div>\n"
    )


def test_a_heading_of_a_closed_block_leaves_out_no_level() -> None:
    title, made = site.body("# A *b*\n\n#### C `d`\n\n| x |\n|:--|\n| y |\n")
    assert title == "A b"
    assert '<h2 id="c-d">C <code>d</code></h2>' in made
    assert 'aria-label="Table 1: C d"><table><thead><tr><th align="left" scope="col">x</th></tr></thead>' in (
        made.replace("\n", "")
    )


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
