# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts side by side cost: the time of site.yml on many hosts against one, and the controller's processor time.

The hosts are copies of this machine in namespaces, reached over ssh, which needs root. They share its cores, so each
program that they launch first sleeps: what is left of the wall time is that of launches, and of the controller.
With --dead one host more is there whose network is cut while it measures. With --before the same is done by another
checkout of this repository, alternately.

Targets: at most 1.2 times the time of one host, and, with --before, half of its controller's time per host and minute.

    .venv/bin/python benchmarks/fleet.py --hosts 12 --pad 20
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.hosts import chaos, clones, interruptions  # noqa: E402
from support.hosts.clones import Clone, Spec  # noqa: E402
from support.hosts.emulated import run  # noqa: E402

WALL_MOST, CPU_MOST = 1.2, 0.5
TESTS = ["pp8", "tg16"]
# Runs before main(), and so before any clock of the program.
PAD = "#include <unistd.h>\n__attribute__((constructor)) static void pad(void) { sleep(SECONDS); }\n"
LIBRARY = "/srv/pad.so"


class Cost(NamedTuple):
    """Of a run: seconds of wall time and of the controller's processors, launches, and when each host's page came."""

    wall_s: float
    cpu_s: float
    launches: int
    code: int
    pages_s: dict[str, float]


@contextmanager
def hosts_of(count: int, pad: int) -> Iterator[dict[str, Clone]]:
    """So many hosts with the library by which programs sleep first."""
    with tempfile.TemporaryDirectory() as directory, clones.clones([Spec(f"h{n}", 300) for n in range(count)]) as hosts:
        source, library = Path(directory, "pad.c"), Path(directory, "pad.so")
        source.write_text(PAD)
        run("gcc", "-shared", "-fPIC", f"-DSECONDS={pad}", "-o", str(library), str(source))
        for host in hosts.values():
            host.path(LIBRARY).write_bytes(library.read_bytes())
        yield hosts


def command(hosts: Mapping[str, Clone], launches: int, directory: Path) -> list[str]:
    """Return the command that measures all hosts; its inventory is written into a directory."""
    variables: dict[str, Any] = {
        **chaos.asked(),
        "llama_bench_tests": TESTS,
        "llama_bench_launches": launches,
        "llama_bench_launches_most": launches,
        "llama_bench_spool": "/srv/spool",
        "llama_bench_environment": {"LD_PRELOAD": LIBRARY},
        "llama_bench_silence": 60,
    }
    del variables["llama_bench_machine_name"]
    inventory = directory / "hosts.json"
    entries = {name: {**host.inventory(), "llama_bench_machine_name": name} for name, host in hosts.items()}
    inventory.write_text(json.dumps({"bench": {"hosts": entries}}))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return [program, "site.yml", "-i", str(inventory), "-e", json.dumps(variables, sort_keys=True)]


def environment(checkout: Path, results: Path) -> dict[str, str]:
    """Return the environment of that command, its records under `results`."""
    return {**chaos.inherited(checkout), "CLOUDBENCH_RESULTS_DIR": str(results)}


def measured(checkout: Path, hosts: Mapping[str, Clone], launches: int, dead: str = "") -> Cost:
    """Run site.yml of a checkout on all hosts; the one that is called `dead` is cut off while it measures."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as output:
        results, asked = Path(directory, "results"), command(hosts, launches, Path(directory))
        began = time.monotonic()
        process = subprocess.Popen(
            asked, cwd=checkout, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment(checkout, results),
        )  # fmt: skip
        pages: dict[str, float] = {}
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            now = time.monotonic() - began
            for page in results.glob("*/tiny-synthetic/q4.md"):
                pages.setdefault(page.parts[-3], now)
            if pid:
                break
            if dead and interruptions.launches_in(hosts[dead].path("/srv/spool")):
                hosts[dead].cut()
                dead = ""
            time.sleep(0.2)
        process.returncode = os.waitstatus_to_exitcode(status)
        done = sum(r["kind"] == "launch" for r in interruptions.records_in(results.glob("*/records/*.jsonl")))
        output.seek(0)
        said = output.read()
        if os.environ.get("CLOUDBENCH_SHOW"):
            print(said)
    return Cost(now, usage.ru_utime + usage.ru_stime, done, process.returncode, pages)


def shown(name: str, count: int, cost: Cost) -> str:
    """A line of the table."""
    per_minute = cost.cpu_s / (count * cost.wall_s / 60)
    first = min(cost.pages_s.values(), default=float("nan"))
    return (
        f"| {name} | {count} | {cost.wall_s:.0f} | {cost.cpu_s:.1f} | {per_minute:.2f} | {first:.0f} | "
        f"{cost.launches} | {cost.code} |"
    )


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--pad", type=int, default=20, help="seconds that each program sleeps first")
    parser.add_argument("--launches", type=int, default=6)
    parser.add_argument("--dead", action="store_true", help="one host more, which is cut off while it measures")
    parser.add_argument("--before", type=Path, help="another checkout")
    args = parser.parse_args()
    needs.meet(
        needs.playbooks(), needs.root("making hosts"), clones.obstacle(), needs.program("gcc", remedy="install it")
    )
    chaos.prepare()
    wanted = args.launches * len(TESTS)
    print("| | hosts | wall s | controller cpu s | cpu s per host-minute | first page after s | launches | exit code |")
    print("|:--|--:|--:|--:|--:|--:|--:|--:|")
    costs = {}
    checkouts = {"this": ROOT, **({"before": args.before.resolve()} if args.before else {})}
    for name, checkout in checkouts.items():
        for count in (1, args.hosts):
            with hosts_of(count, args.pad) as hosts:
                costs[name, count] = measured(checkout, hosts, args.launches)
            print(shown(name, count, costs[name, count]), flush=True)
    good = all(cost.launches == count * wanted for (_name, count), cost in costs.items())
    if args.dead:
        with hosts_of(args.hosts + 1, args.pad) as hosts:
            cost = measured(ROOT, hosts, args.launches, f"h{args.hosts}")
        print(shown("this, one host dead", args.hosts + 1, cost), flush=True)
        good = good and cost.launches >= args.hosts * wanted and cost.code == 2
    ratio = costs["this", args.hosts].wall_s / costs["this", 1].wall_s
    print(f"{args.hosts} hosts against one: {ratio:.2f}x of the time, target {WALL_MOST}")
    good = good and ratio <= WALL_MOST
    if args.before:
        now, then = (costs[name, args.hosts].cpu_s / costs[name, args.hosts].wall_s for name in ("this", "before"))
        print(f"controller's processor time per host and minute: {now / then:.2f}x of before, target {CPU_MOST}")
        good = good and now / then <= CPU_MOST
    print("met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
