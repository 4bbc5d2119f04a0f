# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML site in headless Chromium, opened from disk: links, tables, plot, scripts off, hostile names, axe-core."""

from __future__ import annotations

import copy
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from support.records import hostile

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, offers
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; as root on Debian it is installed where it is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("no Chromium on this machine, and without root and apt-get it cannot be installed")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Ansible may install something beside it.
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "--yes", "--no-install-recommends", "chromium"]
    if subprocess.run(command, env=environment, check=False, capture_output=True).returncode:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return shutil.which("chromium") or pytest.fail("apt-get installed chromium, and there is none")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


def made(some: list[Record], root: Path) -> Path:
    """Return the directory of the site of some records."""
    appended = records.append(root / "results", some)
    assert not appended.problems
    read = records.read(root / "results")
    pages = report.render(read.records, read.problems)
    report.write(root / "results", pages, pages.figures)
    site.write(root / "site", root / "results", pages)
    return root / "site"


def fleet(count: int) -> list[Record]:
    """Return the frozen records, and `count` machines more that are copies of one."""
    frozen = [
        records.decode(line)
        for path in sorted((ROOT / "tests/fixtures/records").glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    real = [one for one in frozen if one["machine"] == "local-intel-xeon"] or frozen
    more = []
    for number in range(count):
        for record in real:
            other = copy.deepcopy(record)
            other["machine"] = f"copy-{number:03}"
            speed = other["payload"].get("metrics", {}).get("tg_tps")
            if speed:
                speed["value"] = round(speed["value"] * (1 + number / 10), 3)
            more.append(other)
    return [*frozen, *more]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(fleet(7), tmp_path_factory.mktemp("plain"))


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("requestfailed", lambda request: self.said.append(f"failed: {request.url}"))
        page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("file://", "data:", "blob:")):
            self.said.append(f"left the machine: {request.url}")

    def open(self, path: Path) -> Page:
        self.page.goto(path.as_uri())
        return self.page

    def open_at(self, address: str) -> Page:
        # Another anchor alone would be another state of the page that stands there.
        self.page.goto("about:blank")
        self.page.goto(address)
        return self.page


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context.new_page())
    context.close()


# The buyer's table of the model that all copies have.
OFFERS = "table:has(input[aria-label^='Compare copy-'])"


def column(page: Page, title: str, table: str = OFFERS) -> list[str]:
    """Return the first lines of the cells of a column of the rows that are shown."""
    titles = page.locator(f"{table} thead th").all_inner_texts()
    at = next(number for number, text in enumerate(titles, 1) if text.startswith(title))
    cells = page.locator(f"{table} tbody tr:visible > :nth-child({at})").all_inner_texts()
    return [text.split("\n")[0] for text in cells]


def test_every_page_opens_without_a_complaint_and_every_link_leads_somewhere(plain: Path, watched: Watched) -> None:
    pages = sorted(plain.rglob("*.html"))
    assert len(pages) > 10
    for path in pages:
        page = watched.open(path)
        assert page.locator("h1").count() == 1
        for link in page.locator("a, img, source").all():
            target = link.get_attribute("href") or link.get_attribute("src") or link.get_attribute("srcset") or ""
            if target.startswith(f"{site.REPOSITORY}"):
                continue
            file, anchor = urldefrag(target)
            assert (path.parent / unquote(file)).is_file() if file else page.locator(f"[id='{anchor}']").count() == 1
    assert watched.said == []


def test_the_buyers_table_sorts_by_its_columns_and_back_and_the_address_says_so(plain: Path, watched: Watched) -> None:
    page = watched.open(plain / "index.html")
    assert len(column(page, "Machine")) > 7

    def numbers() -> list[float]:
        return [float(text.replace(",", "")) for text in column(page, "Generation")]

    before = numbers()
    page.locator(f"{OFFERS} th button", has_text="Generation").focus()
    page.keyboard.press("Enter")
    assert numbers() == sorted(before) != before
    page.keyboard.press("Enter")
    assert numbers() == sorted(before, reverse=True)
    page.keyboard.press("Enter")
    assert page.locator(f"{OFFERS} th[aria-sort=ascending]").count() == 1
    page.goto(page.url)
    page.reload()
    assert numbers() == sorted(before)
    assert watched.said == []


def test_what_somebody_needs_leaves_the_lines_that_meet_it_and_can_be_shared(plain: Path, watched: Watched) -> None:
    page = watched.open(plain / "index.html")
    tokens = [float(text) for text in column(page, "ms per token")]
    limit = sorted(tokens)[3]
    page.get_by_label("ms per token, at most").fill(str(limit))
    kept = [float(text) for text in column(page, "ms per token")]
    assert sorted(kept) == [value for value in sorted(tokens) if value <= limit]
    assert " of " in page.locator(".needs output").inner_text()
    # Of what is not known nobody says that it meets anything: no machine here has a price, so nobody is asked for one.
    assert page.get_by_label("USD an hour, at most").count() == 0
    # A state is a word of its own, of which another may be a part.
    page.get_by_label("ms per token, at most").fill("")
    texts = page.locator(f"{OFFERS} tbody tr").all_inner_texts()
    page.get_by_label("Show").select_option("valid")
    shown = page.locator(f"{OFFERS} tbody tr:visible").all_inner_texts()
    generation = [re.search(r"\b(VALID|UNSTABLE|INVALID)\b", text) for text in texts]
    assert len(shown) == sum(bool(found and found.group() == "VALID") for found in generation)
    page.get_by_label("Show").select_option("any")
    page.get_by_label("vCPUs, at least").fill("3")
    assert page.locator(".needs output").inner_text().startswith("0 of ")
    assert page.locator("main .scroll tbody tr:has(input)").count() == 0
    # A section of the page is gone to without forgetting that.
    page.locator("nav.contents a").last.click()
    assert "cpus=3" in page.url
    # Whoever is given the address sees the same.
    other = page.context.new_page()
    other.goto(page.url)
    assert other.get_by_label("vCPUs, at least").input_value() == "3"
    assert other.locator(".needs output").inner_text().startswith("0 of ")
    assert watched.said == []


def test_two_to_six_lines_stand_side_by_side_and_unlike_ones_do_not(plain: Path, watched: Watched) -> None:
    page = watched.open(plain / "index.html")
    for name in ("copy-001", "copy-005", "copy-006"):
        page.get_by_label(f"Compare {name} ").check()
    compared = page.locator(".comparison table")
    text = compared.inner_text()
    assert all(name in text for name in ("copy-001", "copy-005", "copy-006"))
    assert "1.364 times" in text  # 1.5 / 1.1, by the records
    # The chart has a point and a number for each, and no number on another.
    numbers = [node.bounding_box() for node in page.locator(".comparison svg text[text-anchor]").all()]
    assert page.locator(".comparison svg circle").count() == len(numbers) == 3
    places = [box for box in numbers if box]
    assert all(above["y"] + above["height"] <= below["y"] for above, below in itertools.pairwise(places))
    other = page.context.new_page()
    other.goto(page.url)
    assert other.locator(".comparison table").inner_text() == text
    assert other.get_by_label("Compare copy-005 ").is_checked()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as markdown").click()
    pasted = page.evaluate("navigator.clipboard.readText()")
    assert pasted.startswith("|  | copy-001 | copy-005 | copy-006 |\n| --- | --- | --- | --- |\n")
    # A seventh takes the place of the first.
    for name in ("copy-000", "copy-002", "copy-003", "copy-004"):
        page.get_by_label(f"Compare {name} ").check()
    assert page.locator(".comparison thead th").count() == 6
    assert not page.get_by_label("Compare copy-001 ").is_checked()
    assert watched.said == []


def offered(root: Path, models: dict[str, list[offers.Offer]]) -> Path:
    """Return a start page that has nothing but the buyer's tables of some models."""
    tables = [f"## [{name}](models/{name}.md)\n\n{offers.table(lines)}" for name, lines in models.items()]
    (root / "assets").mkdir()
    for path, text in site.assets().items():
        (root / path).write_text(text, "utf-8")
    (root / "index.html").write_text(site.page("README.md", "\n\n".join(["# Results", *tables])), "utf-8")
    return root / "index.html"


def line(name: str, directory: str = "", speed: float = 10.0, **more: Any) -> offers.Offer:
    """Return a line of which everything holds, but for what `more` says."""
    known = offers.Figure(
        offers.Span(speed, 0.99 * speed, 1.01 * speed), "tg128", markdown.state("VALID", "VALID"), True
    )
    prompt = known._replace(test="pp512", span=offers.Span(10 * speed))
    link = markdown.link(name, f"{directory or name}/README.md")
    made = offers.Offer(link, name, None, None, 2, 8.0, 0.1, known, prompt, known.span.inverse(1000), None, True)
    return made._replace(**more)


def compared(page: Page, title: str) -> list[str]:
    """Return the cells of a line of the comparison."""
    return page.locator(f".comparison tbody tr:has(th:text-matches('^{title}')) td").all_inner_texts()


def test_only_what_is_of_one_test_and_may_be_ranked_has_a_ratio(tmp_path: Path, watched: Watched) -> None:
    first, second, third = line("first"), line("second", speed=20.0), line("third", speed=30.0)
    assert second.prompt
    assert third.prompt
    other = second._replace(prompt=second.prompt._replace(test="pp16"))
    broken = third._replace(prompt=third.prompt._replace(badge=markdown.state("INVALID", "INVALID"), holds=False))
    page = watched.open(offered(tmp_path, {"m": [first, other, broken]}))
    for name in ("first", "second", "third"):
        page.get_by_label(f"Compare {name} ").check()
    assert compared(page, "Generation")[1].endswith("(2.000 times)")
    assert "another test" in compared(page, "Prompt")[1]
    assert "times" not in compared(page, "Prompt")[1]
    assert "3.000 times, not ranked" in compared(page, "Prompt")[2]
    assert watched.said == []


def test_a_state_below_a_figure_is_a_word_of_its_own(tmp_path: Path, watched: Watched) -> None:
    sure, broken, other = line("sure"), line("broken"), line("other")
    assert broken.generation
    assert other.generation
    badge = markdown.state("INVALID", "INVALID")
    broken = broken._replace(generation=broken.generation._replace(badge=badge, holds=False))
    # Of several tests each cell names its own, on the line above its state.
    other = other._replace(generation=other.generation._replace(test="tg32"))
    page = watched.open(offered(tmp_path, {"m": [sure, broken, other]}))
    for words in ("ranked", "valid"):
        page.get_by_label("Show").select_option(words)
        assert page.locator("main tbody tr:visible a").all_inner_texts() == ["sure", "other"]
    page.get_by_label("Show").select_option("any")
    for name in ("sure", "broken"):
        page.get_by_label(f"Compare {name} ").check()
    assert "not ranked" in compared(page, "Generation")[1]
    assert page.locator(".comparison svg .doubt").count() == 1


def test_without_an_interval_a_ratio_says_so(tmp_path: Path, watched: Watched) -> None:
    page = watched.open(offered(tmp_path, {"m": [line("first"), line("second", speed=20.0)]}))
    for name in ("first", "second"):
        page.get_by_label(f"Compare {name} ").check()
    assert "no interval" not in compared(page, "Generation")[1]
    assert compared(page, "Prompt")[1].endswith("(2.000 times, no interval)")


def test_two_machines_of_one_type_are_told_apart_and_shared(tmp_path: Path, watched: Watched) -> None:
    lines = [line("c7g.large", "one"), line("c7g.large", "other", 20.0)]
    page = watched.open(offered(tmp_path, {"a|b": lines, "rest": [line("c7g.large", "one")]}))
    for box in page.locator("input[aria-label*='a|b']").all():
        box.check()
    text = page.locator(".comparison table").inner_text()
    assert "c7g.large (one)" in text
    assert "c7g.large (other)" in text
    page.reload()
    assert page.locator(".comparison table").inner_text() == text


def test_what_an_address_names_that_is_not_there_is_not_asked(tmp_path: Path, watched: Watched) -> None:
    doubtful = line("doubtful")
    assert doubtful.generation
    badge = markdown.state("INVALID", "INVALID")
    doubtful = doubtful._replace(generation=doubtful.generation._replace(badge=badge, holds=False))
    start = offered(tmp_path, {"m": [line("first"), doubtful]})
    for words in ("sure=many", "processor=none", "ms=abc", "compare=x|y", "sort=nothing", "sort=m:x:up", "%E0%A4%A"):
        page = watched.page
        page.goto("about:blank")
        page.goto(f"{start.as_uri()}#{words}")
        assert page.locator("main tbody tr:visible").count() == 2, words
        assert page.get_by_label("Show").input_value() == "any"
    assert watched.said == []


def test_an_anchor_stays_and_the_way_back_asks_what_was_asked(tmp_path: Path, watched: Watched) -> None:
    start = offered(tmp_path, {"m": [line("first"), line("second", speed=200.0)], "n": [line("first")]})
    page = watched.page
    page.goto(f"{start.as_uri()}#n")
    assert page.evaluate("location.hash") == "#n"
    page.get_by_label("ms per token, at most").fill("50")
    assert page.evaluate("location.hash") == "#ms=50"
    page.goto(f"{start.as_uri()}#ms=1000&compare=m+first%7Cm+second")
    assert page.locator("main .scroll tbody tr:visible:has(input)").count() == 3
    assert page.locator(".comparison svg circle").count() == 2
    page.go_back()
    page.locator(".comparison svg").wait_for(state="detached")
    assert page.get_by_label("ms per token, at most").input_value() == "50"
    assert page.locator("main .scroll tbody tr:visible:has(input)").count() == 1
    assert watched.said == []


def test_an_order_is_of_one_table_and_boxes_have_none(tmp_path: Path, watched: Watched) -> None:
    every = [line("quick", speed=20.0), line("slow")]
    page = watched.open(offered(tmp_path, {"m": every, "n": every}))
    assert page.locator("th button", has_text="Compare").count() == 0
    page.locator("th button", has_text="Generation").last.click()
    before = page.locator("main tbody a").all_inner_texts()
    assert before == ["quick", "slow", "slow", "quick"]
    page.reload()
    assert page.locator("main tbody a").all_inner_texts() == before
    assert page.locator("th[aria-sort]").count() == 1


def test_the_address_is_written_once_for_what_is_asked_once(tmp_path: Path, watched: Watched) -> None:
    # Safari ends a script that changes the address more than 100 times in half a minute.
    count = "{ const real = history.replaceState.bind(history); window.written = 0;"
    count += "history.replaceState = (...words) => { window.written += 1; real(...words); }; }"
    watched.page.add_init_script(count)
    page = watched.open(offered(tmp_path, {"m": [line("first"), line("second")]}))
    page.get_by_label("ms per token, at most").press_sequentially("100")
    assert page.evaluate("window.written") == 3


def test_the_drawing_of_a_comparison_can_be_read_on_a_phone(tmp_path: Path, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 740})
    page = context.new_page()
    page.goto(offered(tmp_path, {"m": [line("x" * 300), line("second", speed=20.0)]}).as_uri())
    for box in page.locator("input[type=checkbox]").all():
        box.check()
    for words in page.locator(".comparison svg text").all():
        assert (words.bounding_box() or {"height": 0})["height"] > 9
    name, number = (page.locator(".comparison svg text").nth(at).bounding_box() for at in (0, 1))
    assert name
    assert number
    assert name["x"] + name["width"] <= number["x"] + number["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [found["id"] for found in Axe().run(page).response["violations"]] == []
    context.close()


def test_of_thousands_of_lines_the_first_are_laid_out_and_all_are_sorted_and_filtered(
    tmp_path: Path, watched: Watched
) -> None:
    every = made(fleet(230), tmp_path)
    page = watched.open(every / "index.html")
    shown = page.locator(f"{OFFERS} tbody tr")
    assert shown.count() == 100
    button = page.get_by_role("button", name="more lines")
    count = 100 + int(button.inner_text().split()[1])
    assert count > 230
    page.locator(f"{OFFERS} th button", has_text="Generation").click()
    numbers = [float(text.replace(",", "")) for text in column(page, "Generation")]
    assert len(numbers) == 100
    assert numbers == sorted(numbers)
    # What is behind the button is filtered as what is not.
    page.get_by_label("ms per token, at most").fill("1e9")
    page.locator(f"{OFFERS} th button", has_text="Generation").click()
    assert column(page, "Machine")[0] == "copy-229"
    button.click()
    assert shown.count() == count
    assert watched.said == []


def test_another_model_is_refused_by_name(plain: Path, watched: Watched) -> None:
    page = watched.open(plain / "index.html")
    boxes = page.locator("[aria-label^='Table'] table:has(input[type=checkbox])")
    assert boxes.count() >= 1
    labels = page.locator("input[aria-label^='Compare ']").evaluate_all("nodes => nodes.map((node) => node.ariaLabel)")
    models = {label.rpartition(" ")[2] for label in labels}
    if len(models) > 1:
        for model in sorted(models)[:2]:
            page.locator(f"input[aria-label$=' {model}']").first.check()
        assert "are different models" in page.locator(".refused").inner_text()
        assert page.locator(".comparison table").count() == 0


def test_a_long_page_has_its_sections_at_its_head_and_the_way_out(plain: Path, watched: Watched) -> None:
    page = watched.open(next(iter(sorted(plain.glob("copy-001/*/q4.html")))))
    links = page.locator("nav.contents a").all_inner_texts()
    assert links == page.locator("main h2").all_inner_texts()
    page.locator("nav.contents a").last.click()
    assert page.evaluate("scrollY") > 500
    outside = [link.get_attribute("href") for link in page.locator("footer a").all()]
    assert outside[0] == "https://github.com/cloudbench/llama#readme"
    assert any("docs/method.md" in address for address in outside if address)


def test_the_plot_is_drawn_by_what_the_site_brings_along(plain: Path, watched: Watched) -> None:
    page = watched.open(plain / "index.html")
    assert "vega.js" not in page.content()
    page.get_by_role("button", name="Plot generation against prompts").first.click()
    page.wait_for_selector(".plot[data-points] svg")
    assert int(page.locator(".plot").get_attribute("data-points") or 0) > 5
    assert watched.said == []


def test_it_can_be_read_without_javascript_and_printed(plain: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((plain / "index.html").as_uri())
    assert "copy-003" in page.locator("table").nth(1).inner_text() + page.locator("main").inner_text()
    page.emulate_media(media="print")
    assert page.pdf()[:4] == b"%PDF"
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(plain: Path, browser: Browser, theme: Any) -> None:
    context = browser.new_context(color_scheme=theme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    pages = [
        plain / "index.html",
        *sorted(plain.glob("copy-001/**/*.html")),
        *sorted(plain.glob("local-*/*/*.html"))[:3],
    ]
    for path in pages:
        page.goto(path.as_uri())
        found = Axe().run(page)
        said = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]]
        assert said == [], path.name
    context.close()


def test_a_narrow_screen_scrolls_its_tables_and_not_the_page(plain: Path, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    for path in (plain / "index.html", next(plain.glob("copy-001/*/q4.html"))):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        # A figure is not made small: its letters stay as large as they were drawn, and it scrolls.
        for figure in page.locator("main picture img").all():
            assert figure.evaluate("node => node.clientWidth >= node.naturalWidth")
    context.close()


def misnamed() -> list[Record]:
    """Return machines of one run each, in which things have the names of support/records/hostile.py, all of them."""
    texts = list(hostile.PAYLOADS.values())
    lines = (ROOT / "tests/fixtures/records/schema-2.jsonl").read_bytes().splitlines()
    every = []
    for at in range(0, len(texts), 6):
        for record in hostile.named([records.decode(line) for line in lines], texts[at:] + texts[:at]):
            # Two machines of a model are a table that can be compared and plotted.
            machines = [f"box-{at}", "other"] if at == 0 else [f"box-{at}"]
            every += [{**record, "machine": machine} for machine in machines]
    return every


def test_names_of_every_kind_stay_text_and_nothing_runs_or_leaves(tmp_path: Path, watched: Watched) -> None:
    root = made(misnamed(), tmp_path)
    opened = []
    watched.page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    watched.page.on("popup", lambda popup: opened.append(popup.url))
    # What a script of a stranger would have to get by, if one got into a page.
    told = "document.addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective))"
    watched.page.add_init_script(told)
    paths = sorted(root.rglob("*.html"))
    assert len(paths) > 20
    shown = ""
    for path in paths:
        page = watched.open(path)
        assert page.title() != hostile.OWNED
        shown += page.inner_text("main")
        assert page.locator("main :is(script, style, link, meta, iframe, object, embed, form, svg, base)").count() == 0
        assert page.evaluate(
            r"""() => [...document.querySelectorAll("main *")].flatMap((node) => [...node.attributes])
                 .filter(({ name, value }) => name.startsWith("on") || name === "style"
                   || (/^(href|src|srcset)$/.test(name) && !/^(#[a-z0-9-]+|[A-Za-z0-9._\/%-]+)$/.test(value)))
                 .map(({ name, value }) => `${name}=${value}`)"""
        ) == []  # fmt: skip
    assert "onerror=" in shown, "the names are on the pages"
    # What the page's own program makes of them: boxes, a filter, a plot, lines side by side, an address.
    page = watched.open(root / "index.html")
    boxes = page.locator("input[type=checkbox][aria-label^=Compare]")
    for at in range(min(2, boxes.count())):
        boxes.nth(at).check()
    for box in page.locator("main input[type=search]").all():
        box.fill(hostile.PAYLOADS["element"])
    page.get_by_role("button", name="Plot generation against prompts").first.click()
    page.wait_for_selector(".plot[data-points] svg")
    assert page.title() != hostile.OWNED
    asked = quote(hostile.PAYLOADS["script"])
    for key in ("compare", "sort", "ms", "processor", "sure", "nothing"):
        page = watched.open_at(f"{(root / 'index.html').as_uri()}#{key}={asked}")
        assert page.title() != hostile.OWNED
    assert opened == []
    assert watched.said == []
