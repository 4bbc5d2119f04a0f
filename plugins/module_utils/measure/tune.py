# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the best configuration of this machine, of one model file and one objective after the other.

The champion, llama.cpp's defaults at first, meets the other values of one factor at a time, then those of pairs of
factors that interact, in randomised blocks of fresh processes. A candidate goes as soon as the interval of its paired
log ratio says that it is not better by the margin; of those that are left half go at every second, fourth, eighth ...
block. The one that is established to be better is the next champion. The search has ended when nothing is left that
was not tried beside a champion whose interacting factors are as they are: by verdicts, not by a count.

A search is a function of its seed and of what its launches gave. One that was interrupted is gone through again with
the launches on record, and goes on with the first that is missing.
"""

from __future__ import annotations

import math
import time
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import tuned_for
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.variant import VariantError
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import order
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import space as spaces
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Emit, Host
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import (
    MARGIN_PERCENT,
    mean_interval,
    t_975,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.run import Session, read_through
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.space import (
    DROPPED,
    MEMORY,
    OPEN,
    REFUSED,
    TAKEN,
    TOO_LARGE,
    Config,
    key_of,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.stage import VALID, Stage
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope

# Of a server whose requests all miss their latency targets this share of the tokens counts, so that one of them is
# better than another all the same, and none better than one that meets them.
_MISSED = 0.01
# Of how many degrees of freedom the noise of earlier races counts beside a candidate's own.
_BORROWED = 6
# After so many blocks an undecided race gives way to all others, and is run to its end when those are.
_ASIDE_BLOCKS = 8
# A champion that fails in so many blocks one after the other cannot be one.
_LOST_BLOCKS = 2

Payload = Dict[str, Any]


class Asked(NamedTuple):
    """What a search is asked for: values by factor and thread counts (see space.py), bytes of MEMORY's limit."""

    space: Dict[str, List[Any]]
    threads: Sequence[int] = ()
    limit_bytes: Optional[int] = None


class _StoppedError(Exception):
    """Nobody listens any more."""


class _LostError(Exception):
    """What everything is compared with cannot be launched; cause and advice."""


class _Bounds(NamedTuple):
    """A mean log ratio with its 95 % interval, endless where nothing tells the noise."""

    mean: float
    low: float
    high: float


def score(payload: Payload) -> float:
    """Return how good a launch is, the more the better: token/s, of a server those within the latency targets."""
    metrics, cell = payload["metrics"], payload["cell"]
    if registry.kind_of(cell) is not registry.SERVE:
        return float(metrics[registry.headline(cell)]["value"])
    answered = metrics["request_rate"]["value"]
    share = metrics["goodput_rate"]["value"] / answered if answered else 0.0
    return float(metrics["output_tps"]["value"]) * max(share, _MISSED)


def peak(payload: Payload) -> float:
    """Return the peak memory of a launch in bytes, 0 where it is not known."""
    return float((payload["metrics"].get("rss_peak_bytes") or {}).get("value") or 0)


class _Noise:
    """The spread of log ratios within blocks, of one candidate helped out by that of all others.

    The variance is moderated as that of few values among many alike (G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3
    (2004) 3): so the first launch of a candidate may be enough to let it go.
    """

    def __init__(self) -> None:
        self.of: Dict[str, Tuple[float, int]] = {}

    def bounds(self, key: str, logs: Sequence[float]) -> _Bounds:
        """Return what the log ratios of a candidate come to."""
        n = len(logs)
        mean = math.fsum(logs) / n
        spread = math.fsum((x - mean) ** 2 for x in logs)
        if n > 1:
            self.of[key] = (spread, n - 1)
        others = [known for name, known in self.of.items() if name != key]
        degrees = sum(count for _squares, count in others)
        borrowed = min(degrees, _BORROWED)
        total = spread + (borrowed * sum(squares for squares, _count in others) / degrees if degrees else 0.0)
        if not borrowed + n - 1:
            return _Bounds(mean, -math.inf, math.inf)
        half = t_975(borrowed + n - 1) * math.sqrt(total / (borrowed + n - 1) / n)
        return _Bounds(mean, mean - half, mean + half)


class _Search:
    """The search of one model file for one objective."""

    def __init__(
        self, session: Session, jobs: Dict[str, Job], asked: Asked, share: float, causes: Dict[str, str]
    ) -> None:
        self.session = session
        self.jobs = jobs
        self.base = next(iter(jobs.values())).cell
        self.objective = tuned_for(self.base)
        self.limit = asked.limit_bytes if self.objective == MEMORY else None
        self.space = spaces.space_of(self.base, list(jobs), session.machine, asked.threads, asked.space)
        self.share = share
        self.until = session.host.clock() + share
        self.stage = Stage([], session.settings, ())
        self.stage.block = 0
        self.index: Dict[str, int] = {}
        # What an interrupted run has on record: launches by place and block; causes of failures by cell.
        self.kept: Dict[Tuple[str, int], Payload] = {}
        self.causes = causes
        self.failed: Dict[str, str] = {}
        for record in session.earlier:
            payload = record["payload"]
            if tuned_for(payload.get("cell")) != self.objective:
                continue
            if record["kind"] == "launch":
                self.kept[self.place(payload["cell"]), payload["block"]] = payload
            elif record["kind"] == "failure":
                self.failed[self.place(payload["cell"])] = payload["cause"]
        self.noise = _Noise()
        # Of each build what was refused: values that stood together.
        self.blamed: Set[Tuple[str, FrozenSet[Tuple[str, Any]]]] = set()
        self.default: Config = {}
        # llama-bench's row of a build without settings: what the defaults are.
        self.rows: Dict[str, Payload] = {}
        self.seen: Dict[str, Config] = {}
        self.tried: Dict[str, Payload] = {}
        # Of races that gave way: what was searched, and the values of the candidate.
        self.aside: List[Tuple[str, Config]] = []
        self.gain = 0.0
        self.what = ""
        self.ended = "verdicts"

    @staticmethod
    def place(cell: Payload) -> str:
        return envelope.canonical(cell)

    # One configuration.

    def cell(self, config: Config) -> Payload:
        return spaces.cell_of(config, self.base)

    def tidy(self, config: Config) -> Config:
        """Return a configuration without the settings that its build has anyway."""
        row = self.rows.get(config["build"])
        if row is None:
            return config
        return {factor: None if spaces.as_it_is(factor, value, row) else value for factor, value in config.items()}

    def entry(self, config: Config, fate: str, why: str = "", logs: Sequence[float] = ()) -> None:
        """Note what became of a configuration."""
        told: Payload = {"build": config["build"], "threads": config["threads"], "step": self.what, "fate": fate}
        try:
            cell = self.cell(config)
            told.update({name: cell[name] for name in ("threads_batch", "variant") if name in cell})
            index = self.index.get(self.place(cell))
            largest = max(map(peak, self.stage.launches[index]), default=0.0) if index is not None else 0.0
            if largest:
                told["rss_peak_bytes"] = int(largest)
        except VariantError:
            told["variant"] = "+".join("%s=%s" % (factor, config[factor]) for factor in spaces.settings_factors(config))
        if why:
            told["why"] = why
        if logs:
            told["ratio"] = _interval([math.exp(log) for log in logs])
        self.tried[key_of(config)] = told

    def launch(self, config: Config, position: int) -> Optional[Payload]:
        """Return what a launch of a configuration gave, in the block at hand; None where it gave nothing."""
        cell = self.cell(config)
        place = self.place(cell)
        job = self.jobs[config["build"]]._replace(cell=cell)
        index = self.index.get(place)
        kept = self.kept.pop((place, self.stage.block), None)
        if kept is None:
            if index is None:
                if place in self.failed:
                    return self.refused(config, self.failed[place])
                if self.session.refused(job):
                    return self.refused(config, self.causes[place])
            if self.session.abandoned():
                raise _StoppedError
            self.show(cell)
        if index is None:
            index = self.index[place] = self.stage.join(job)
        if kept is not None:
            self.stage.add(index, kept)
        else:
            self.session.launch(self.stage, index, position)
            if self.stage.failed[index]:
                self.stage.failed[index] = False
                return self.refused(config, self.causes[place])
        payload = self.stage.launches[index][-1]
        if not cell.get("variant") and payload.get("rows"):
            self.rows.setdefault(config["build"], payload["rows"][0])
        return payload

    def refused(self, config: Config, why: str) -> Optional[Payload]:
        """Note that a configuration cannot be launched, and return what its launch gave: nothing."""
        self.entry(config, REFUSED, why)
        return None

    def show(self, cell: Payload) -> None:
        done = sum(len(launches) for launches in self.stage.launches)
        left = self.session.left()
        self.session.progress(
            {
                "done": done,
                "of": done + 1,
                "now": cell,
                "figures": [],
                "failed": [],
                "left_s": None if math.isinf(left) else max(0.0, left),
                "time": time.time(),
                "stage": "tuning %s: %s" % (self.objective, self.what),
                "gain": math.exp(self.gain),
            }
        )

    # Blocks.

    def seconds(self, config: Config) -> float:
        """Return the seconds that a launch of a configuration is likely to take, 0 before the first of all."""
        walls = [
            launch["metrics"]["wall_s"]["value"] * max(1.0, launch["cell"]["threads"] / config["threads"])
            for launches in self.stage.launches
            for launch in launches[-1:]
        ]
        return sorted(walls)[len(walls) // 2] if walls else 0.0

    def late(self, configs: Sequence[Config], reserve: float) -> bool:
        """Say whether the next block would end after the time for this search, short of `reserve` seconds."""
        block = self.stage.block + 1
        if any(known == block for _place, known in self.kept):
            return False
        return self.session.host.clock() + reserve + sum(map(self.seconds, configs)) > self.until

    def block(self, configs: Sequence[Config]) -> Dict[str, Payload]:
        """Launch each configuration once, in an order of the block's own; return what they gave, by key."""
        self.stage.block += 1
        given: Dict[str, Payload] = {}
        shuffled = order.block_order(self.session.settings.seed, self.stage.block, range(len(configs)))
        for position, at in enumerate(shuffled, start=1):
            payload = self.launch(configs[at], position)
            if payload is not None:
                given[key_of(configs[at])] = payload
        return given

    # Races.

    def race(
        self, champion: Config, candidates: Sequence[Config], what: str, most: Optional[int] = None
    ) -> Optional[Config]:
        """Return the candidate that is established to be better than the champion, None where none is.

        Undecided after `most` blocks, by default _ASIDE_BLOCKS, a race is put aside, or left so where that is all that
        a configuration gets.
        """
        limit = self.session.settings.launches_most
        most = min(limit, most or _ASIDE_BLOCKS)
        self.what = what
        field = self.known_possible(champion, candidates)
        logs: Dict[str, List[float]] = {key_of(config): [] for config in field}
        first, lost = self.stage.block, 0
        while field:
            blocks = self.stage.block - first
            if blocks >= most or self.late([champion, *field], self.reserve(champion)):
                self.ended = "time" if blocks < most else self.ended
                for config in field:
                    self.entry(config, OPEN, "", logs[key_of(config)])
                    if most < limit:
                        values = {factor: config[factor] for factor in spaces.differing(config, champion)}
                        self.aside.append((what, values))
                return None
            given = self.block([champion, *field])
            beside = given.get(key_of(champion))
            if beside is None:
                lost += 1
                if lost == _LOST_BLOCKS:
                    raise _LostError(self.tried[key_of(champion)]["why"])
                continue
            lost = 0
            for config in list(field):
                payload = given.get(key_of(config))
                if payload is None:
                    self.blame(config, champion)
                    field.remove(config)
                elif self.limit and peak(payload) > self.limit:
                    self.entry(config, TOO_LARGE)
                    field.remove(config)
                else:
                    logs[key_of(config)].append(math.log(score(payload) / score(beside)))
            field = self.left_of(field, logs, self.stage.block - first)
            if len(field) == 1:
                winner = field[0]
                ratio = self.noise.bounds(key_of(winner), logs[key_of(winner)])
                if ratio.low > 0 and len(logs[key_of(winner)]) > 2:
                    self.entry(winner, TAKEN, "", logs[key_of(winner)])
                    self.gain += ratio.mean
                    return winner
        return None

    def left_of(self, field: List[Config], logs: Dict[str, List[float]], block: int) -> List[Config]:
        """Return which candidates stay in a race after a block, and note those that do not."""
        margin = math.log1p(MARGIN_PERCENT / 100)
        bounds = {key: self.noise.bounds(key, values) for key, values in logs.items() if values}
        ranked = sorted(field, key=lambda config: -bounds[key_of(config)].mean)
        stay = [config for config in ranked if bounds[key_of(config)].high >= margin]
        if len(stay) > 1:
            best = logs[key_of(stay[0])]
            for config in stay[1:]:
                mine = logs[key_of(config)]
                behind = self.noise.bounds("", [a - b for a, b in zip(mine[-len(best) :], best[-len(mine) :])])
                if behind.high < 0:
                    stay.remove(config)
        # At every power of two of blocks.
        if len(stay) > 1 and block > 1 and not block & (block - 1):
            stay = stay[: (len(stay) + 1) // 2]
        for config in ranked:
            if config not in stay:
                self.entry(config, DROPPED, "", logs[key_of(config)])
        return stay

    def known_possible(self, champion: Config, candidates: Sequence[Config]) -> List[Config]:
        """Return the candidates that are new, each once, without those of a setting that was refused."""
        field: Dict[str, Config] = {}
        for config in map(self.tidy, candidates):
            key = key_of(config)
            refused = any(build == config["build"] and values <= set(config.items()) for build, values in self.blamed)
            if key in self.seen or key == key_of(champion) or refused:
                continue
            self.seen[key] = config
            try:
                self.cell(config)
            except VariantError as error:
                # Of values that are possible by themselves.
                self.entry(config, REFUSED, str(error))
            else:
                field[key] = config
        return list(field.values())

    def blame(self, config: Config, beside: Config) -> None:
        """Learn what is refused: that in which a configuration differs from one that works.

        With the settings that may have to do with it, where those are not llama.cpp's own.
        """
        changed = spaces.differing(config, beside)
        around = {other for factor in changed for other in spaces.partners(factor)}
        around = {factor for factor in around & set(config) if config[factor] != self.default[factor]}
        self.blamed.add((config["build"], frozenset((factor, config[factor]) for factor in {*changed, *around})))

    def reserve(self, champion: Config) -> float:
        """Return the seconds that are kept for the last blocks, a quarter of all at most."""
        return min(2 * self.session.settings.launches * self.seconds(champion), self.share / 4)

    # The search.

    def begin(self) -> Config:
        """Launch llama.cpp's defaults and return them. Raises _LostError."""
        self.what = "default"
        config = spaces.start(self.space, self.session.every())
        self.default = self.seen[key_of(config)] = config
        if self.block([config]).get(key_of(config)) is None:
            raise _LostError(self.tried[key_of(config)]["why"])
        return config

    def within_limit(self, default: Config) -> Optional[Config]:
        """Return the fastest configuration within the memory limit that the levers of memory give, None without one.

        One launch tells what a configuration needs: single values first, then what they come to together.
        """
        if not self.limit or self.peak_of(default) <= self.limit:
            return default
        levers = [factor for factor in spaces.OF_MEMORY if factor in self.space]
        for count in range(1, len(levers) + 1):
            self.what = "memory"
            configs = self.known_possible(
                default,
                [
                    config
                    for step in _combinations(levers, count)
                    for config in spaces.neighbours(self.space, default, step)
                ],
            )
            given = self.block(configs) if configs and not self.late(configs, 0.0) else {}
            for config in configs:
                if key_of(config) not in given and key_of(config) in self.tried:
                    self.blame(config, default)
            small = [config for config in configs if key_of(config) in given]
            small = [config for config in small if peak(given[key_of(config)]) <= self.limit]
            for config in configs:
                if key_of(config) in given and config not in small:
                    self.entry(config, TOO_LARGE)
            small.sort(key=lambda config: -score(given[key_of(config)]))
            if small:
                self.entry(small[0], TAKEN)
                for config in small[1:]:
                    # It meets the champion again.
                    del self.seen[key_of(config)]
                return self.race(small[0], small[1:], "memory") or small[0]
        return None

    def peak_of(self, config: Config) -> float:
        """Return the peak memory of a configuration that was launched, in bytes."""
        return max(map(peak, self.stage.launches[self.index[self.place(self.cell(config))]]), default=0.0)

    def climb(self, champion: Config) -> Config:
        """Return the champion that nothing was found to be better than."""
        # The values of the factors that a step depends on, when it was last searched.
        last: Dict[Tuple[str, ...], str] = {}
        changed = True
        while changed and self.ended != "time":
            changed = False
            for step in map(tuple, spaces.steps()):
                around = {*step, *(other for factor in step for other in spaces.partners(factor))}
                now = key_of({factor: value for factor, value in champion.items() if factor in around})
                if last.get(step) == now:
                    continue
                last[step] = now
                winner = self.race(champion, spaces.neighbours(self.space, champion, step), " and ".join(step))
                if winner is not None:
                    champion, changed = winner, True
                if self.ended == "time":
                    return champion
            if not changed and self.aside:
                champion, changed = self.end_race(champion, *self.aside.pop(0))
        return champion

    def end_race(self, champion: Config, what: str, values: Config) -> Tuple[Config, bool]:
        """Run a race that was put aside to its end, and return the champion and whether it is another one."""
        config = dict(champion, **values)
        self.seen.pop(key_of(config), None)
        winner = self.race(champion, [config], what, self.session.settings.launches_most)
        # The next one is looked at in any case.
        return winner or champion, winner is not None or bool(self.aside)

    def confirm(self, default: Config, chosen: Config) -> List[Dict[str, Payload]]:
        """Launch both in blocks until their ratio is known to the margin, and return what the blocks gave."""
        self.what = "default beside the best"
        settings = self.session.settings
        both = [default] if key_of(default) == key_of(chosen) else [default, chosen]
        blocks: List[Dict[str, Payload]] = []
        while len(blocks) < settings.launches_most and not (len(blocks) > 1 and self.late(both, 0.0)):
            given = self.block(both)
            if len(given) < len(both):
                raise _LostError(next(self.tried[key_of(lost)]["why"] for lost in both if key_of(lost) not in given))
            blocks.append(given)
            values = [score(given[key_of(both[-1])]) / score(given[key_of(both[0])]) for given in blocks]
            if len(both) == 1:
                values = [score(given[key_of(default)]) for given in blocks]
            width = mean_interval(values).half_width_percent
            if len(blocks) >= settings.launches and (width is None or width <= MARGIN_PERCENT):
                break
        return blocks

    def run(self) -> Payload:
        """Search, and return the payload of the record of what was found. Raises _StoppedError."""
        began = time.time()
        model = next(iter(self.jobs.values())).model
        outcome: Payload = {
            "objective": self.objective,
            "machine": self.session.machine["id"],
            "model": model["id"],
            "cell": None,
            "default": None,
        }
        if self.limit:
            outcome["limit_bytes"] = self.limit
        try:
            default = self.begin()
            outcome["default"] = self.cell(default)
            champion = self.within_limit(default)
            if champion is None:
                least = min((peak(launch) for launches in self.stage.launches for launch in launches), default=0.0)
                outcome["why"] = "no configuration that was tried needs so little: the least was %.2f GiB" % (
                    least / 2**30
                )
            else:
                outcome.update(self.told(default, self.climb(champion)))
        except _LostError as lost:
            outcome["why"] = str(lost)
        launches = [launch for of_cell in self.stage.launches for launch in of_cell]
        return dict(
            outcome,
            tried=list(self.tried.values()),
            ended=self.ended,
            launches=len(launches),
            disturbed=sum(launch["validity"]["state"] != VALID for launch in launches),
            seconds=round(sum(launch["metrics"]["wall_s"]["value"] for launch in launches), 3),
            search_s=round(time.time() - began, 3),
        )

    def told(self, default: Config, champion: Config) -> Payload:
        """Return what a record says of the champion, after it met the defaults in the last blocks."""
        blocks = self.confirm(default, champion)
        ratio = None
        if key_of(default) != key_of(champion):
            pairs = [(score(given[key_of(default)]), score(given[key_of(champion)])) for given in blocks]
            ratio = _interval([best / before for before, best in pairs])
            within = not self.limit or self.peak_of(default) <= self.limit
            if ratio["high"] is not None and ratio["high"] < 1 and within:
                self.entry(champion, DROPPED, "slower than the defaults in the last blocks", _logs(pairs))
                champion, ratio = default, None
        of_default = [given[key_of(default)] for given in blocks]
        of_best = [given[key_of(champion)] for given in blocks]
        return {
            "cell": self.cell(champion),
            "build": self.jobs[champion["build"]].build["id"],
            "argv": of_best[-1]["argv"],
            "figure": _interval([score(launch) for launch in of_best]),
            "default_figure": _interval([score(launch) for launch in of_default]),
            **({"ratio": ratio} if ratio else {}),
            "metrics": _means(of_best),
            "default_metrics": _means(of_default),
            "blocks": len(blocks),
        }


def _interval(values: Sequence[float]) -> Payload:
    known = mean_interval(values)
    return {"mean": known.mean, "low": known.low, "high": known.high, "n": known.n}


def _logs(pairs: Sequence[Tuple[float, float]]) -> List[float]:
    return [math.log(best / before) for before, best in pairs]


def _means(launches: Sequence[Payload]) -> Dict[str, float]:
    """Return the mean of each metric of some launches, of the peak memory the largest."""
    names = dict.fromkeys(name for launch in launches for name in launch["metrics"])
    means = {}
    for name in names:
        values = [launch["metrics"][name]["value"] for launch in launches if name in launch["metrics"]]
        means[name] = max(values) if name == "rss_peak_bytes" else math.fsum(values) / len(values)
    return means


def _combinations(factors: Sequence[str], count: int) -> List[Tuple[str, ...]]:
    if count == 0:
        return [()]
    return [
        (factor, *rest) for at, factor in enumerate(factors) for rest in _combinations(factors[at + 1 :], count - 1)
    ]


def tune(
    jobs: Sequence[Job],
    asked: Asked,
    settings: Settings,
    machine: Payload,
    emit: Emit,
    progress: Callable[[Payload], None],
    abandoned: Callable[[], bool] = lambda: False,
    earlier: Sequence[Payload] = (),
    host: Optional[Host] = None,
) -> bool:
    """Search for each objective and model file among the jobs, and say whether it came to its end.

    `jobs`: of each objective, which stands in the purpose of a cell, and each model file one for every build, that of
    the defaults first. Each search ends with a record of kind `tuned`. The time limit is shared: a search takes at most
    its part of what is left. `earlier`: the records of an interrupted run of the same id.
    """
    causes: Dict[str, str] = {}

    def told(kind: str, payload: Payload, started: float) -> None:
        if kind == "failure":
            causes[_Search.place(payload["cell"])] = payload["cause"]
        emit(kind, payload, started)

    session = Session(settings, machine, told, progress, abandoned, earlier, host or Host())
    searches: Dict[Tuple[str, str], Dict[str, Job]] = {}
    for job in jobs:
        searches.setdefault((tuned_for(job.cell), job.model["id"]), {})[job.build["name"]] = job
    finished = {
        (record["payload"]["objective"], record["payload"]["model"]) for record in earlier if record["kind"] == "tuned"
    }
    waiting = [of_build for key, of_build in searches.items() if key not in finished]
    read_through(jobs)
    launched = 0
    for at, of_build in enumerate(waiting):
        search = _Search(session, of_build, asked, session.left() / (len(waiting) - at), causes)
        started = time.time()
        try:
            outcome = search.run()
        except _StoppedError:
            return False
        launched += outcome["launches"]
        emit("tuned", outcome, started)
    progress(
        {"done": launched, "of": launched, "now": None, "figures": [], "failed": [], "finished": True, "left_s": 0}
    )
    return True
