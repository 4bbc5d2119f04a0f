# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What building for the very processor is worth: the role's build against llama.cpp that comes ready made.

    python3 benchmarks/prebuilt.py
    python3 benchmarks/prebuilt.py --tuned RESULTS

All contestants read the same file with the same threads and context, each launch in a fresh process, in randomised
complete blocks:

- the role's build `default`, and its build `portable`, the same source with GGML_NATIVE off;
- xllamacpp, a wheel of PyPI, node-llama-cpp with its prebuilt package, of npm, and where dpkg-deb is at hand Debian
  sid's llama.cpp-tools with all that it wants, the C library included, unpacked and not installed. They go into a
  temporary folder, in the versions named below or, of sid, in that of the day. They carry llama.cpp of other versions,
  which is what their users get;
- with --tuned what `make tune` found on this machine for the same file and each objective: the results
  in which it lies, whose builds must still be there. llama-server is told what the page of the search says.

A launch loads the model, answers a short request that is not measured, and then one of PROMPT tokens after which it
generates GENERATED. Prompts are token ids, nothing is cached, sampling is greedy. The servers are asked over HTTP
on the loopback interface and tell their own times: llama-server of the role's builds and of Debian, and the same server
of llama.cpp inside xllamacpp. node-llama-cpp has no server and is timed in its own process at the same points: with
the first sampled token the prompt ends and the generation begins.

Figures are medians over the launches; ratios are means of the ratios within each block, with their 95 % interval.
Targets: the role's build reads prompts 1.3 times as fast as the best that comes ready made, and generates no slower
than any other contestant that is not tuned, slower being by more than 2 %; what was tuned for prompts reads them 1.5
times, and what was tuned for generation, within a memory limit or not, generates 1.25 times as fast as the best that
comes ready made, with intervals above 1.2. A target is met when the whole interval says so, missed when the whole
interval denies it, else undecided. Leaves with 1 unless all are met.

Needs .venv (make bench or make test makes it), npm with Node.js 20 or newer, and the package indexes of pip, npm and
Debian. The first run builds llama.cpp twice.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import json
import os
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval, mean_interval  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.order import block_order  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import gates, machine  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.system import page_cache  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, last_words, run  # noqa: E402

PLAYBOOK = ROOT / ".venv/bin/ansible-playbook"
XLLAMACPP = "2026.10.11549"
NODE_LLAMA_CPP = "3.22.1"
# The package of node-llama-cpp with the programs for this architecture.
NODE_PLATFORMS = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}

PROMPT, GENERATED, CONTEXT, BATCH = 512, 128, 1024, 512
# Ids of ordinary tokens of the Llama 3 vocabulary; those above are special.
ORDINARY = 128000
PROMPT_TARGET = 1.3
# As everywhere in this collection, slower means by more than 2 %.
GENERATION_TARGET = 0.98
# Of what was tuned: times the best that comes ready made, and where the interval is to begin at least.
TUNED_TARGETS = {"prompt": 1.5, "generation": 1.25}
TUNED_LEAST = 1.2
# What a search was for, and the figure that it is judged by here. That within a memory limit is one of generation too.
OBJECTIVES = {"prompts": "prompt", "generation": "generation", "memory": "generation"}
MODEL, QUANTIZATION = "llama-3.2-1b-synthetic", "Q4_0"
# Debian's package of llama.cpp, the programs in a root that it was unpacked into, and what there loads programs.
DEBIAN_PACKAGE, DEBIAN = "llama.cpp-tools", "http://deb.debian.org/debian sid main"
DEBIAN_LOADERS = {
    "x86_64": "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "aarch64": "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
}
# Two builds, the model and the packages.
DISK_GB = 6

# How often a prompt is shuffled at most.
RETRIES = 40
LAUNCH_S, START_S, STOP_S, PREPARE_S = 300, 120, 15, 3600

PLAY = """\
- name: Build llama.cpp and make the model
  hosts: bench
  gather_facts: false
  roles:
    - cloudbench.llama.llama_cpp
    - cloudbench.llama.llama_model
  tasks:
    - name: Hand on what there is now
      ansible.builtin.copy:
        content: "{{ {'builds': llama_cpp_built, 'models': llama_model_files} | to_json }}"
        dest: "{{ prebuilt_result }}"
        mode: "0600"
"""


class Contestant(NamedTuple):
    """One way to come by llama.cpp.

    What the tables call it, what of which version it is, whether it comes ready made, the command of a launch short of
    the job, and what its job says beside that of the others.
    """

    name: str
    version: str
    ready_made: bool
    command: list[str]
    own: dict[str, Any]


class Launch(NamedTuple):
    """The figures of one launch in tokens per second, and its gates (module_utils/probe/gates)."""

    prompt: float
    generation: float
    gates: dict[str, Any]


# ---- one launch, in a process of its own ----------------------------------------------------------------------------


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def llama_server(job: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Run the job's llama-server; yield its port and its processor features as the role found them."""
    port, threads = free_port(), str(job["threads"])
    argv = [*job["program"], "--model", job["model"], "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--parallel", "1", "--ctx-size", str(job["context"])]
    if "options" in job:
        argv += job["options"]
    else:
        argv += ["--threads", threads, "--threads-batch", threads, "--flash-attn", "on"]
        argv += ["--batch-size", str(job["batch"]), "--ubatch-size", str(job["batch"])]
    if offered(job["program"], "--cache-ram"):
        argv += ["--cache-ram", "0"]
    if offered(job["program"], "--run-time-repack"):
        # ik_llama.cpp's writes a file where it is started.
        argv.append("--log-disable")
    if job["verbose"]:
        argv.append("--verbose")
    environment = {**os.environ, **job.get("environment", {})}
    server = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd=job.get("directory"), env=environment
    )
    try:
        deadline = time.monotonic() + START_S
        while not healthy(port):
            if server.poll() is not None:
                raise SystemExit(f"llama-server ended with {server.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise SystemExit(f"llama-server was not ready within {START_S} s")
            time.sleep(0.05)
        yield port, job["system_info"]
    finally:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def offered(program: Sequence[str], option: str) -> bool:
    """Return whether a program knows an option, by its own help."""
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, timeout=START_S, check=False)
    return option in done.stdout + done.stderr


@contextmanager
def xllamacpp_server(job: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Run xllamacpp's server in this process; yield its port and its processor features as it tells them."""
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = job["model"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = job["threads"]
    params.n_ctx, params.n_batch, params.n_ubatch = job["context"], job["batch"], job["batch"]
    params.n_parallel, params.cache_ram_mib, params.ui = 1, 0, False
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    if job["verbose"]:
        params.verbosity = 10
    # Listens on the loopback interface, on a port of the system's choice, and returns when the model is loaded.
    server = xllamacpp.Server(params)
    yield int(server.listening_address.rpartition(":")[2]), xllamacpp.get_system_info()
    del server


def healthy(port: int) -> bool:
    """Return whether the server answers that it is ready."""
    try:
        return exchange(port, "GET", "/health", 5)[0] == 200
    except OSError:
        return False


def exchange(port: int, method: str, path: str, time_limit: float, body: Any = None) -> tuple[int, Any]:
    """Return the status and the JSON of one answer. Raises OSError when there is none within the time limit."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=time_limit)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"{method} {path}: {error}") from error
    finally:
        connection.close()


def complete(port: int, request: dict[str, Any]) -> dict[str, Any]:
    """Have `request` {"prompt": token ids, "predict": number of tokens} answered and return the server's timings."""
    body = {
        "prompt": request["prompt"],
        "n_predict": request["predict"],
        "ignore_eos": True,
        "cache_prompt": False,
        "temperature": 0,
        "samplers": ["temperature"],
    }
    for shuffled in range(RETRIES):
        status, answer = exchange(port, "POST", "/completion", LAUNCH_S, body)
        if status != 500 or "UTF-8" not in str(answer):
            break
        # ik_llama.cpp's server cannot answer with a text that is no UTF-8, and synthetic weights make such texts: the
        # same tokens in another order take as long and make another one.
        body["prompt"] = random.Random(shuffled).sample(request["prompt"], len(request["prompt"]))
    if status != 200:
        raise SystemExit(f"/completion answered {status}: {answer}")
    timings: dict[str, Any] = answer["timings"]
    return timings


def child(job: dict[str, Any]) -> None:
    """Do the job of one launch and print its outcome as prebuilt.mjs does."""
    with (llama_server if "program" in job else xllamacpp_server)(job) as (port, system_info):
        complete(port, job["warm_up"])
        timings = complete(port, job["measured"])
        _status, properties = exchange(port, "GET", "/props", START_S)
    print(json.dumps({"timings": timings, "system_info": system_info, "version": properties.get("build_info", "")}))


# ---- the contestants ------------------------------------------------------------------------------------------------


def do(argv: Sequence[str | Path], **more: Any) -> None:
    """Run a command that prepares something; its output goes to standard error."""
    try:
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=PREPARE_S, **more)
    except OSError as error:
        raise SystemExit(f"{argv[0]} cannot be run ({error.strerror}): --help says what this needs") from error
    except subprocess.SubprocessError as error:
        raise SystemExit(str(error)) from error


def with_server(build: dict[str, Any]) -> Path:
    """Have llama-server made in the folder of a build of the role, and return it."""
    folder = (Path.home() / str(build["bin"])).resolve().parent
    # The role's own settings of ccache, so that what two builds share is compiled once.
    environment = {
        **os.environ, "LC_ALL": "C.UTF-8", "CCACHE_BASEDIR": str(folder.parent), "CCACHE_NOHASHDIR": "1"
    }  # fmt: skip
    command: list[str | Path] = [
        "cmake",
        "--build",
        folder,
        "--target",
        "llama-server",
        "--parallel",
        str(os.cpu_count()),
    ]
    do(command, env=environment)
    return folder / "bin/llama-server"


def version(build: dict[str, Any]) -> str:
    """Return what a build of the role was made of, and with which flags."""
    return f"{build['source']['name']}, {' '.join(build['compile_flags'])}"


def role_builds(scratch: Path) -> tuple[list[Contestant], str]:
    """Have the role's builds and the model made as a user would, and llama-server in the same build folders."""
    play, result = scratch / "play.yml", scratch / "result.json"
    play.write_text(PLAY)
    variables = {
        "llama_cpp_builds": ["default", "portable"],
        "llama_model_models": [MODEL],
        "llama_model_quantizations": [QUANTIZATION],
        "prebuilt_result": str(result),
    }
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "CLOUDBENCH_RESULTS_DIR": str(scratch / "results")}
    environment.pop("CLOUDBENCH_RUN", None)
    do([PLAYBOOK, play, "-i", "inventory/local", "-e", json.dumps(variables)], cwd=ROOT, env=environment)
    made = json.loads(result.read_text())
    contestants = [
        Contestant(
            name=f"{build['name']} (role)",
            version=version(build),
            ready_made=False,
            command=[sys.executable, __file__, "--child"],
            own={"program": [str(with_server(build))], "system_info": build["system_info"]},
        )
        for build in made["builds"]
    ]
    return contestants, made["models"][0]["path"]


def tuned_builds(results: Path) -> dict[str, Contestant]:
    """Return what the last searches found, by what of OBJECTIVES they were for. Their builds are to be here."""
    needs.meet(needs.requirements())
    # Not above: xllamacpp's Python runs this file, and has no other packages.
    from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
    from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import tuned
    from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

    newest: dict[str, tuple[summary.Run, list[dict[str, Any]], dict[str, Any]]] = {}
    for of_run in summary.runs(records.read(results).records):
        for payloads in summary.tuned(of_run).values():
            for payload in payloads:
                cell = payload["default"] or {}
                if (cell.get("model"), cell.get("quantization")) == (MODEL, QUANTIZATION):
                    newest[payload["objective"]] = (of_run, payloads, payload)
    if missing := [name for name in OBJECTIVES if name not in newest and name != "memory"]:
        raise SystemExit(
            f"--tuned {results}: no search for {' and '.join(missing)} of {MODEL} {QUANTIZATION} lies "
            "there; make tune does it"
        )
    found = {}
    for objective in OBJECTIVES:
        if objective not in newest:
            continue
        of_run, payloads, payload = newest[objective]
        told = tuned.server_of(of_run, payload, payloads)
        if told is None:
            raise SystemExit(f"--tuned {results}: the search for {objective} found nothing to launch")
        build = of_run.builds[payload["build"]]
        directory = str(Path(told.argv[0]).parent)
        if not (Path.home() / directory).is_dir():
            raise SystemExit(f"--tuned {results}: the build of {objective}, {directory}, is not on this machine")
        found[objective] = Contestant(
            name=f"tuned for {objective}",
            version=f"{version(build)}; {' '.join(told.options)}",
            ready_made=False,
            command=[sys.executable, __file__, "--child"],
            own={
                "program": [str(with_server({"bin": directory}))],
                "options": told.options,
                "environment": told.environment,
                "system_info": build["system_info"],
            },
        )
    return found


def debian(scratch: Path) -> Contestant:
    """Unpack Debian's package, and all that it wants, into a folder of its own."""
    folder = scratch / "debian"
    root = folder / "root"
    for part in ("state/lists/partial", "cache/archives/partial", "root"):
        (folder / part).mkdir(parents=True)
    (folder / "state/status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {DEBIAN}\n")
    settings = {
        "Dir::State": folder / "state", "Dir::State::status": folder / "state/status", "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/nonexistent",
        "Debug::NoLocking": "true", "APT::Sandbox::User": "",
    }  # fmt: skip
    (folder / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
    do(["apt-get", "update"], env=environment)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "--download-only", DEBIAN_PACKAGE]
    do(install, env=environment)
    archives = sorted((folder / "cache/archives").glob("*.deb"))
    for archive in archives:
        do(["dpkg-deb", "--extract", archive, root])
    (package,) = [archive for archive in archives if archive.name.startswith(f"{DEBIAN_PACKAGE}_")]
    # Its C library is newer than most; the kernels for processors are loaded from the working directory.
    loader = root / DEBIAN_LOADERS[platform.machine()]
    libraries = sorted({str(path.parent) for path in loader.parent.rglob("*.so*")})
    program = [str(loader), "--library-path", ":".join(libraries), str(root / "usr/bin/llama-server")]
    (kernels,) = loader.parent.glob("ggml/backends*")
    log = subprocess.run([*program, "--version"], cwd=kernels, capture_output=True, text=True, check=True)
    return Contestant(
        name="llama.cpp-tools (Debian sid)",
        version=package.name.split("_")[1].replace("%3a", ":"),
        ready_made=True,
        command=[sys.executable, __file__, "--child"],
        own={"program": program, "directory": str(kernels), "system_info": log.stdout + log.stderr},
    )


def xllamacpp(scratch: Path) -> Contestant:
    """Install the wheel into an environment of its own."""
    python = scratch / "xllamacpp/bin/python"
    do([sys.executable, "-m", "venv", python.parent.parent])
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    do([python, "-m", "pip", "install", *options, f"xllamacpp=={XLLAMACPP}"])
    return Contestant("xllamacpp (PyPI)", XLLAMACPP, True, [str(python), __file__, "--child"], {})


def node_llama_cpp(scratch: Path) -> Contestant:
    """Install the package with the programs for this architecture alone; its scripts would build or download others."""
    folder = scratch / "node"
    folder.mkdir()
    programs = "@node-llama-cpp/" + NODE_PLATFORMS[platform.machine()]
    wanted = [f"{package}@{NODE_LLAMA_CPP}" for package in ("node-llama-cpp", programs)]
    options = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--ignore-scripts", "--omit=optional"]
    do(["npm", "install", *options, *wanted], cwd=folder)
    script = shutil.copy(ROOT / "benchmarks/prebuilt.mjs", folder)
    return Contestant("node-llama-cpp (npm)", wanted[1], True, ["node", str(script)], {})


# ---- measuring ------------------------------------------------------------------------------------------------------


def tokens(seed: int, count: int) -> list[int]:
    """Return `count` different ids of ordinary tokens."""
    return random.Random(seed).sample(range(ORDINARY), count)


def start(contestant: Contestant, job: dict[str, Any]) -> tuple[Finished, dict[str, Any]]:
    """Run one launch to its end; return what became of the process and the outcome it printed."""
    finished = run([*contestant.command, json.dumps({**job, **contestant.own})], LAUNCH_S)
    if finished.exit_code != 0:
        why = f"no end within {LAUNCH_S} s" if finished.timed_out else last_words(finished.stderr)
        print(*finished.stderr.splitlines()[-20:], sep="\n", file=sys.stderr)
        raise SystemExit(f"{contestant.name} failed: {why}")
    outcome: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return finished, outcome


def look(contestant: Contestant, job: dict[str, Any]) -> str:
    """Return the row of the contestant in the table of what it is, from an unmeasured launch that logs all."""
    short = {"prompt": tokens(2, 8), "predict": 2}
    finished, outcome = start(contestant, {**job, "measured": short, "verbose": True})
    repacked = [f"{count} to {layout}" for layout, count in parse_log(finished.stderr)["repack"].items()]
    features = " ".join(machine.used_features(outcome["system_info"]))
    cells = [contestant.name, contestant.version, outcome["version"], features, ", ".join(repacked) or "none"]
    return f"| {' | '.join(cells)} |"


def launch(contestant: Contestant, job: dict[str, Any]) -> Launch:
    """Measure one launch."""
    before = gates.snapshot()
    finished, outcome = start(contestant, job)
    values = gates.gates(before, gates.snapshot(), finished.usage)
    told = outcome["timings"]
    if (told["prompt_n"], told["predicted_n"]) != (PROMPT, GENERATED + 1):
        raise SystemExit(f"{contestant.name} processed other numbers of tokens than it was asked for: {told}")
    # The first token comes of the prompt, so its time is the prompt's.
    return Launch(1e3 * PROMPT / told["prompt_ms"], 1e3 * GENERATED / told["predicted_ms"], values)


def judge(interval: Interval, limit: float) -> str:
    """Return whether a ratio reaches `limit`: met, MISSED or undecided."""
    if interval.low is None or interval.high is None or interval.low < limit <= interval.high:
        return "undecided"
    return "met" if interval.low >= limit else "MISSED"


def shown(interval: Interval) -> str:
    """Return a ratio with its interval, such as 1.31 (1.28 to 1.34)."""
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.2f}"
    return f"{interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def ratio(ours: Sequence[Launch], its: Sequence[Launch], figure: str) -> Interval:
    """Return how many times as fast we are, over the blocks: the n-th launches of both are of one block."""
    return mean_interval([getattr(we, figure) / getattr(it, figure) for we, it in zip(ours, its, strict=True)])


def row(contestant: Contestant, its: Sequence[Launch], ours: Sequence[Launch]) -> str:
    """Return the row of a contestant in the table of figures."""
    cells = [contestant.name]
    for figure in ("prompt", "generation"):
        cells.append(f"{statistics.median(getattr(it, figure) for it in its):.1f}")
        cells.append("" if its is ours else shown(ratio(ours, its, figure)))
    cells.append(", ".join(str(it.gates["steal_percent"]) for it in its))
    cells.append(f"{sum(gates.validity(it.gates)['state'] == 'VALID' for it in its)} of {len(its)}")
    return f"| {' | '.join(cells)} |"


def report(
    contestants: Sequence[Contestant], measured: Sequence[Sequence[Launch]], of_search: dict[str, Contestant]
) -> bool:
    """Print the figures and what becomes of the targets; return whether all are met.

    The first contestant is the role's build; those `of_search` are judged by one figure each.
    """
    ours, *others = measured
    print("\n| build | prompt token/s | ours / this | generation token/s | ours / this | steal %, by launch | valid |")
    print("|:--|--:|--:|--:|--:|:--|--:|")
    for contestant, its in zip(contestants, measured, strict=True):
        print(row(contestant, its, ours))
    ready = [its for contestant, its in zip(contestants, measured, strict=True) if contestant.ready_made]
    prompt = min((ratio(ours, its, "prompt") for its in ready), key=lambda interval: interval.mean)
    said = [judge(prompt, PROMPT_TARGET)]
    print(f"\nPrompt, times the best that comes ready made: {shown(prompt)}; target {PROMPT_TARGET:g}: {said[0]}")
    for contestant, its in zip(contestants[1:], others, strict=True):
        if contestant in of_search.values():
            continue
        generation = ratio(ours, its, "generation")
        said.append(judge(generation, GENERATION_TARGET))
        print(f"Generation, times {contestant.name}: {shown(generation)}; target {GENERATION_TARGET:g}: {said[-1]}")
    reached: dict[str, list[str]] = {}
    for objective, contestant in of_search.items():
        figure, its = OBJECTIVES[objective], measured[list(contestants).index(contestant)]
        best = min((ratio(its, other, figure) for other in ready), key=lambda interval: interval.mean)
        # The mean reaches its target, and the whole interval the lower one.
        word = judge(best, TUNED_LEAST) if best.mean >= TUNED_TARGETS[figure] else "MISSED"
        reached.setdefault(figure, []).append(word)
        print(
            f"{figure.capitalize()} of {contestant.name}, times the best that comes ready made: {shown(best)}; "
            f"target {TUNED_TARGETS[figure]:g}, all of the interval above {TUNED_LEAST:g}: {word}"
        )
    return all(word == "met" for word in said) and all("met" in words for words in reached.values())


def main() -> int:
    """Return 0 if all targets are met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=6, help="of each contestant; from 2 on there is an interval")
    parser.add_argument("--threads", type=int, default=machine.fingerprint()["physical_cores"] or os.cpu_count())
    parser.add_argument("--seed", type=int, default=1, help="of the order within the blocks")
    parser.add_argument("--tuned", type=Path, metavar="RESULTS", help="results with a search of this machine")
    parser.add_argument("--child", metavar="JOB", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(json.loads(asked.child))
        return 0
    if asked.launches < 1 or asked.threads < 1:
        parser.error("--launches and --threads are 1 or more")
    if platform.machine() not in NODE_PLATFORMS:
        raise SystemExit(f"the ready made builds are for {' and '.join(NODE_PLATFORMS)}, not {platform.machine()}")
    needs.meet(
        needs.executable(PLAYBOOK, "`make setup` installs it"),
        needs.version("node", (20,), "install Node.js 20 or newer"),
        needs.program("npm", remedy="it comes with Node.js: sudo apt-get install npm"),
        needs.disk(Path(tempfile.gettempdir()), DISK_GB),
    )

    # Ends what runs, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="prebuilt-") as folder:
        scratch = Path(folder)
        contestants, model = role_builds(scratch)
        of_search = tuned_builds(asked.tuned) if asked.tuned else {}
        contestants += [*of_search.values(), xllamacpp(scratch), node_llama_cpp(scratch)]
        if shutil.which("dpkg-deb") and shutil.which("apt-get"):
            contestants.append(debian(scratch))
        job = {
            "model": model,
            "threads": asked.threads,
            "context": CONTEXT,
            "batch": BATCH,
            "verbose": False,
            "warm_up": {"prompt": tokens(1, 32), "predict": 4},
            "measured": {"prompt": tokens(0, PROMPT), "predict": GENERATED + 1},
        }
        page_cache.read_through(model)
        print("| build | version | llama.cpp says it is | features in use | tensors repacked |\n|:--|:--|:--|:--|:--|")
        for contestant in contestants:
            print(look(contestant, job), flush=True)
        print(f"\n{PROMPT} tokens of prompt, {GENERATED} generated, {asked.threads} threads, seed {asked.seed}")
        measured: list[list[Launch]] = [[] for _contestant in contestants]
        for block in range(1, asked.launches + 1):
            for index in block_order(asked.seed, block, range(len(contestants))):
                done = launch(contestants[index], job)
                measured[index].append(done)
                state = gates.validity(done.gates)
                print(
                    f"block {block}: {contestants[index].name}: prompt {done.prompt:.1f}, generation "
                    f"{done.generation:.1f} token/s; {'; '.join([state['state'], *state['reasons']])}",
                    flush=True,
                )
        return 0 if report(contestants, measured, of_search) else 1


if __name__ == "__main__":
    sys.exit(main())
