# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages and site cost where there are many records: 1,000 machines of 100 records each, figures apart.

The records are copies of a real run's with other names, times and speeds: they measure this program and nothing else.
Targets: all pages and the site within 20 s and 500 MB; one more run on top of that within 10 s; twice the same bytes;
a start page of at most 0.6 MB that Chromium paints from disk within 0.3 s, whose filter and order answer within 50 ms,
layout included. Figures have no target: what they cost is told of 25 of the machines, drawn from nothing and found as
they are. --page SITE measures the start page of a site that is there.

    .venv/bin/python benchmarks/scale.py --machines 1000
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))
# The imports below want them.
needs.meet(needs.requirements())

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.site import html as site  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records  # noqa: E402

ALL_S, ALL_MB, ONE_S, START_MB, PAINT_S, ANSWER_MS = 20.0, 500.0, 10.0, 0.6, 0.3, 50.0
PER_MACHINE = 100
DRAWN_MACHINES = 25
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Of a thousand machines: records, pages and three sites.
DISK_GB = 4


def template() -> list[dict[str, Any]]:
    """Return the records of things and plain launches of a real run, that others are made from."""
    path = ROOT / "tests" / "fixtures" / "records" / "schema-2.jsonl"
    every = [records.decode(line) for line in path.read_bytes().splitlines()]
    return [record for record in every if record["kind"] in ("run", "machine", "build", "model") or _plain(record)]


def _plain(record: dict[str, Any]) -> bool:
    return record["kind"] == "launch" and record["payload"]["cell"]["test"] in ("pp512", "tg128")


def of_machine(base: list[dict[str, Any]], number: int, run: str) -> list[dict[str, Any]]:
    """Return PER_MACHINE records of one run on one machine."""
    draw = random.Random(number)
    launches = [record for record in base if record["kind"] == "launch"]
    made = [copy.deepcopy(record) for record in base if record["kind"] != "launch"]
    plan = next(record for record in made if record["kind"] == "run")
    plan["payload"]["cells"] = [record["payload"]["cell"] for record in launches]
    for at in range(PER_MACHINE - len(made)):
        record = copy.deepcopy(launches[at % len(launches)])
        record["payload"]["number"] = at + 1
        record["payload"]["block"] = at // len(launches) + 1
        factor = 1 + number / 1000 + draw.gauss(0, 0.004)
        for name, entry in record["payload"]["metrics"].items():
            if name.endswith(("_tps", "_s")):
                entry["value"] = round(entry["value"] * factor, 4)
                entry["samples"] = [round(entry["value"] * (1 + draw.gauss(0, 0.004)), 4) for _sample in range(10)]
        made.append(record)
    for at, record in enumerate(made):
        time_of = f"{run[:4]}-{run[4:6]}-{run[6:8]}T{at // 60:02}:{at % 60:02}:00Z"
        record.update(machine=f"machine-{number:04}", run=run, time=time_of)
    return made


def pages(results: Path, made: Path) -> None:
    """In a process of its own: read all records, write all pages and the site."""
    started = time.monotonic()
    rendered, _problems = report.render_store(results)
    after_render = time.monotonic()
    report.write(results, rendered)
    after_write = time.monotonic()
    site.write(made, results, rendered)
    print(
        json.dumps(
            {
                "records": sum(len(path.read_bytes().splitlines()) for path in results.glob("*/records/*.jsonl")),
                "pages": len(rendered),
                "render": after_render - started,
                "write": after_write - after_render,
                "site": time.monotonic() - after_write,
                "all": time.monotonic() - started,
            }
        )
    )


def drawings(results: Path) -> tuple[int, float, float]:
    """Return how many drawings the pages of a store have, the seconds to draw all, and those to find them again."""
    rendered, _problems = report.render_store(results)
    times = []
    for _time in range(2):
        started = time.monotonic()
        report.write(results, rendered, rendered.figures)
        times.append(time.monotonic() - started)
    drawn = len(list(results.rglob("*.svg")))
    if drawn != len(report.drawings(rendered.figures)):
        raise SystemExit(f"{drawn} drawings are there, {len(report.drawings(rendered.figures))} belong there")
    return drawn, times[0], times[1]


def child(results: Path, made: Path, cache: Path) -> dict[str, Any]:
    """Return what pages() says of a process of its own, and the most memory that it and its processes had, in MB."""
    argv = [sys.executable, __file__, "--inside", str(results), str(made)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    most = 0.0
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.2):
            most = max(most, memory_mb(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _none = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}")
    return {**json.loads(said), "mb": most}


def memory_mb(session: int) -> float:
    """Return the memory of all processes of a session, what they share counted once (proportional set size)."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[3]) == session:
                rollup = status.with_name("smaps_rollup").read_text()
                total += int(rollup.partition("Pss:")[2].split()[0])
        except (OSError, IndexError, ValueError):
            continue  # it has ended
    return total / 1000


def digest(root: Path) -> str:
    """Return a digest of all files below a directory."""
    seen = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            seen.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()


class Page(NamedTuple):
    """Medians of a start page in Chromium: seconds until it is painted, milliseconds until a filter and an order."""

    paint_s: float
    filter_ms: float
    sort_ms: float


# What a person waits for: the script and the layout that follows, which reading a height forces.
_FILTER = """async (limit) => {
    const field = document.querySelector(".needs input[type=number]");
    const began = performance.now();
    field.value = limit;
    field.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
    return performance.now() - began;
}"""
_SORT = """async () => {
    const buttons = [...document.querySelectorAll("th button")];
    const button = buttons.find((node) => node.textContent.startsWith("Generation"));
    const began = performance.now();
    button.click();
    document.body.offsetHeight;
    return performance.now() - began;
}"""


def opened(start: Path) -> Page:
    """Return what a start page on disk takes in Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, CHROMIUM)))
    script = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        painted_s, filters, sorts = [], [], []
        for _time in range(5):
            page = browser.new_page()
            page.goto(start.as_uri())
            # The page's policy lets nobody wait by a function in it.
            painted = page.evaluate(script)
            while painted is None:
                page.wait_for_timeout(20)
                painted = page.evaluate(script)
            painted_s.append(painted / 1000)
            page.wait_for_timeout(500)
            for limit in ("30", "25", ""):
                filters.append(page.evaluate(_FILTER, limit))
                sorts.append(page.evaluate(_SORT))
            page.close()
        browser.close()
    return Page(*map(statistics.median, (painted_s, filters, sorts)))


def said(page: Page, size: float) -> bool:
    """Print what a start page takes and return whether that is within the targets."""
    print(
        f"Start page {size:.2f} MB, painted in {page.paint_s:.2f} s, filtered in {page.filter_ms:.0f} ms, sorted in "
        f"{page.sort_ms:.0f} ms."
    )
    answers = page.filter_ms <= ANSWER_MS and page.sort_ms <= ANSWER_MS
    return size <= START_MB and page.paint_s <= PAINT_S and answers


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--page", type=Path, metavar="SITE", help="the start page of this site alone")
    parser.add_argument("--inside", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        pages(*asked.inside)
        return 0
    needs.meet(
        needs.distributions("playwright"),
        needs.program(*CHROMIUM, remedy="sudo apt-get install chromium"),
        needs.disk(Path(tempfile.gettempdir()), DISK_GB * max(1.0, asked.machines / 1000)),
    )
    if asked.page:
        start = asked.page / "index.html"
        needs.meet(needs.file(start))
        return 0 if said(opened(start), start.stat().st_size / 1e6) else 1
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        results, made = Path(scratch, "results"), Path(scratch, "site")
        base = template()
        for number in range(asked.machines):
            records.append(results, of_machine(base, number, "20261101T000000Z-0000"))
        first = child(results, made, Path(scratch, "cache"))
        before = digest(made)
        again = child(results, Path(scratch, "again"), Path(scratch, "other-cache"))
        same = before == digest(Path(scratch, "again"))
        records.append(results, of_machine(base, 7, "20261102T000000Z-0000"))
        more = child(results, made, Path(scratch, "cache"))
        # What is kept gives what is made from nothing.
        child(results, Path(scratch, "third"), Path(scratch, "third-cache"))
        same = same and digest(made) == digest(Path(scratch, "third"))
        size = (made / "index.html").stat().st_size / 1e6
        few = Path(scratch, "few")
        for number in range(DRAWN_MACHINES):
            records.append(few, of_machine(base, number, "20261101T000000Z-0000"))
        drawn, drawing_s, found_s = drawings(few)
        page = opened(made / "index.html")
    print("| what | records | pages | read and render s | write s | site s | all s | peak MB |")
    print("|:--|--:|--:|--:|--:|--:|--:|--:|")
    for name, figures in (("from nothing", first), ("from nothing, again", again), ("one run more", more)):
        times = " | ".join(f"{figures[part]:.1f}" for part in ("render", "write", "site", "all"))
        print(f"| {name} | {figures['records']:,} | {figures['pages']:,} | {times} | {figures['mb']:.0f} |")
    print(
        f"\nFigures of {DRAWN_MACHINES} machines: {drawn} drawings, light and dark, in {drawing_s:.1f} s "
        f"({1000 * drawing_s / drawn:.0f} ms each); with all of them there, {found_s:.2f} s."
    )
    print(f"\nTwice the same bytes: {'yes' if same else 'NO'}. ", end="")
    met = said(page, size) and first["all"] <= ALL_S and first["mb"] <= ALL_MB and more["all"] <= ONE_S and same
    print(
        f"Targets: {ALL_S:g} s and {ALL_MB:g} MB, {ONE_S:g} s for one more run, {START_MB:g} MB, {PAINT_S:g} s, "
        f"{ANSWER_MS:g} ms: "
        f"{'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
