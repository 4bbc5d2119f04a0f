# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rule for whether a figure holds and how well it is known; docs/method.md has it in words.

A launch is INVALID where something disturbed it, and a figure where too many of its launches were. How well an
undisturbed figure is known is another matter: its interval holds what its launches, the drift of the machine and what
the gates let pass leave open, and by that interval it is shown, ranked and compared.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from statistics import fmean, median, variance
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval, t_975
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import seconds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import metric, one_place, plural

Record = dict[str, Any]

VALID, UNSTABLE, INVALID, MISSING = "VALID", "UNSTABLE", "INVALID", "MISSING"

# A spread of fewer launches says little of the next one.
ENOUGH_LAUNCHES = 6
# Of fewer no figure is formed while others were disturbed, however few: an interval needs some degrees of freedom.
FEWEST_LAUNCHES = 3
# A figure that is known less well is no ground for a choice.
RANKED_PERCENT = 10.0
# The drift of the bandwidth as a part of a 95 % interval, in half ranges. Three moments give the bounds and no
# distribution; a uniform one within them would have 95 % in 0.95 half ranges, so the whole is the bound itself.
# benchmarks/sessions.py says how many intervals hold what they promise.
DRIFT_FACTOR = 1.0
# What the same figure differs by from session to session, half of a 95 % interval, on a machine that shares its
# processor with others: no session knows it of itself. 2.1 % standard deviation times t, by benchmarks/sessions.py.
SESSION_PERCENT = 4.5
# A clock that is further than this from that of the cell's other launches has been changed.
CLOCK_PERCENT = 5.0

# Shares of the processor's time that were somebody else's, of which the gates let some pass.
_SHARES = ("steal_percent", "other_cpu_percent")
# What is faster or slower on another machine or in company; sizes and counts are not.
_LEVELS = ("token/s", "s", "1/s")


class Budget(NamedTuple):
    """The parts of the uncertainty of a figure: half widths at 95 %, of its logarithm; None where one is not known.

    `launches`: the t interval of their mean. `drift`: half the range of the canary's bandwidth in the session, as far
    as the figure may have followed it. `session`: what another session differs by on a machine that is shared.
    `disturbance`: the share of the time that was not the program's though no gate fired.
    """

    launches: float | None
    drift: float | None
    session: float | None
    disturbance: float | None

    def parts(self) -> list[tuple[str, float | None]]:
        """Return each part by its name, in percent of the figure."""
        return [(name, None if half is None else percent(half)) for name, half in self._asdict().items()]

    @property
    def besides(self) -> float:
        """What comes to the spread of the launches: the root of the squares, for the parts are independent."""
        return math.hypot(self.drift or 0.0, self.session or 0.0, self.disturbance or 0.0)


def percent(half: float) -> float:
    """Return the half width of a logarithm in percent of the figure, as Interval has it."""
    return 100 * math.sinh(half)


def undisturbed(launches: Iterable[Record]) -> list[Record]:
    """Return the launches that nothing disturbed."""
    return [record for record in launches if record["payload"]["validity"]["state"] == VALID]


def formed_over(launches: Sequence[Record], planned: int | None) -> list[Record]:
    """Return the launches that a figure is formed over: the undisturbed where there are enough of them, else all.

    Enough are ENOUGH_LAUNCHES, or as many as `planned`, or more than half of all and FEWEST_LAUNCHES at least. Gates
    look at the machine and never at the figure, so leaving out what they marked favours nothing. `planned`: how many
    launches the run was to have of a cell, None where that is not on record.
    """
    good = undisturbed(launches)
    enough = min(ENOUGH_LAUNCHES, planned or ENOUGH_LAUNCHES)
    most = len(good) >= FEWEST_LAUNCHES and 2 * len(good) > len(launches)
    return good if most or len(good) >= enough else list(launches)


class Moment(NamedTuple):
    """A look of the canary at a session: when (s since the epoch), and the bandwidth of each of its processes."""

    at: float
    rates: Sequence[float]

    @property
    def log(self) -> float:
        """The mean of the logarithms of its rates."""
        return fmean(map(math.log, self.rates))


def drift(moments: Sequence[Moment]) -> float | None:
    """Return how far a session drifted: a half width of the logarithm; None below two moments.

    The half range of the moments is shrunk by the share of their variance that the processes of one moment explain (one
    way analysis of variance, by moments): what moves within a second moves each launch, and is in their spread.
    """
    if len(moments) < 2:
        return None
    means = [moment.log for moment in moments]
    between, within = variance(means), 0.0
    if degrees := sum(len(moment.rates) - 1 for moment in moments):
        away = [math.log(rate) - moment.log for moment in moments for rate in moment.rates]
        within = sum(each**2 for each in away) / degrees * fmean(1 / len(moment.rates) for moment in moments)
    established = math.sqrt(max(0.0, 1 - within / between)) if between else 0.0
    return DRIFT_FACTOR * established * (max(means) - min(means)) / 2


def follows(moments: Sequence[Moment], launches: Sequence[tuple[float, float]]) -> float:
    """Return how much of a drift of the bandwidth a figure may have taken part in, from 0 to 1.

    The upper bound at 95 % of the elasticity: how the logarithm of the figure goes with that of the bandwidth, between
    its moments by a line. No figure moves by more than the memory does, so where the launches do not know better, it
    is 1. `launches`: when (s since the epoch) and the positive figure of each.
    """
    times = [moment.at for moment in moments]
    logs = [moment.log for moment in moments]
    points = [(_between(times, logs, at), math.log(value)) for at, value in launches]
    degrees = len(points) - 2
    if degrees < 1 or len(moments) < 2:
        return 1.0
    x_mean, y_mean = fmean(x for x, _y in points), fmean(y for _x, y in points)
    spread = sum((x - x_mean) ** 2 for x, _y in points)
    if not spread:
        return 1.0
    slope = sum((x - x_mean) * (y - y_mean) for x, y in points) / spread
    left = sum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in points)
    return min(1.0, abs(slope) + t_975(degrees) * math.sqrt(left / degrees / spread))


def _between(times: Sequence[float], values: Sequence[float], at: float) -> float:
    """Return the value at a time by the line between its neighbours, that of the first or last beyond these."""
    later = bisect.bisect_right(times, at)
    if later in (0, len(times)):
        return values[min(later, len(times) - 1)]
    begin, end = times[later - 1], times[later]
    return values[later - 1] + (at - begin) / (end - begin) * (values[later] - values[later - 1])


def budget(
    interval: Interval,
    launches: Sequence[Record],
    values: Sequence[float],
    moments: Sequence[Moment],
    shared: bool = False,
) -> Budget:
    """Return the parts of the uncertainty of a figure.

    `interval`: that of its `launches` alone, `values` what each of these came to; `moments`: the canary of the session,
    in the order of time; `shared`: whether the machine shares its processor with others.
    """
    spread = math.log(interval.high / interval.mean) if interval.high is not None else None
    drifted = drift(moments)
    if drifted:
        drifted *= follows(moments, [(seconds(launch["time"]), x) for launch, x in zip(launches, values, strict=True)])
    # What a gate fired for is no matter of a width.
    gates = [record["payload"].get("gates") or {} for record in undisturbed(launches)]
    lost = [sum(shares) for gate in gates if (shares := [gate[name] for name in _SHARES if gate.get(name) is not None])]
    # Time that was lost makes a figure too low by its share.
    disturbance = -math.log1p(-min(fmean(lost), 99.0) / 100) if lost else None
    session = math.asinh(SESSION_PERCENT / 100) if shared else None
    return Budget(spread, drifted, session, disturbance)


def widened(interval: Interval, parts: Budget | None) -> Interval:
    """Return an interval of launches alone with what else leaves the figure open; one without bounds as it is."""
    if parts is None or interval.low is None or interval.high is None or not parts.besides:
        return interval
    half = math.hypot(math.log(interval.high / interval.mean), parts.besides)
    low, high = interval.mean * math.exp(-half), interval.mean * math.exp(half)
    return interval._replace(low=low, high=high, half_width_percent=percent(half))


def widens(name: str) -> bool:
    """Say whether a metric is a level, which drift and disturbance move: a speed or a time, no size and no count."""
    return metric(name).unit in _LEVELS


def judged(
    interval: Interval,
    launches: Sequence[Record],
    figures: Sequence[Record],
    planned: int | None,
    enough: int = ENOUGH_LAUNCHES,
) -> tuple[str, list[str]]:
    """Return the state of a figure and why it is not VALID, or that launches were left out.

    `interval` is the widened one, of `figures` among all `launches`; `enough` is the number of these that is not few.
    """
    few = _few(interval, planned, enough)
    bad = [
        f"launch {record['payload']['number']}: {reason}"
        for record in figures
        if record["payload"]["validity"]["state"] != VALID
        for reason in record["payload"]["validity"]["reasons"] or ["no reason on record"]
    ]
    if bad:
        return INVALID, [*bad, *few]
    width = interval.half_width_percent
    wide = [] if width is None or width <= RANKED_PERCENT else [f"±{one_place(width)} %, over ±{RANKED_PERCENT:g} %"]
    left_out = []
    if len(figures) < len(launches):
        left_out = [f"{len(launches) - len(figures)} of {len(launches)} launches disturbed and left out"]
        if planned is not None and len(launches) >= planned:
            # That is why there are few.
            return (UNSTABLE if few or wide else VALID), [*wide, *left_out]
    return UNSTABLE if few or wide else VALID, [*few, *wide, *left_out]


def _few(interval: Interval, planned: int | None, enough: int) -> list[str]:
    if interval.n >= enough:
        return []
    launches = plural(interval.n, "launch")
    cut_short = planned is not None and planned >= enough
    return [f"only {launches} of {planned}" if cut_short else f"quick run: {launches}"]


def ranked(state: str, interval: Interval | None) -> bool:
    """Say whether a figure may be ranked: undisturbed, and known well enough."""
    width = interval.half_width_percent if interval else None
    return state in (VALID, UNSTABLE) and width is not None and width <= RANKED_PERCENT


def with_clocks(launches: Sequence[Record], samples: Iterable[Record]) -> list[Record]:
    """Return the launches of one cell in their order, those INVALID whose clock was not that of the others.

    `samples`: the records of what was sampled during them; where these have no MHz nothing is said.
    """
    clocks: dict[int, float] = {}
    for record in samples:
        known = [mhz for mhz in record["payload"].get("mhz") or [] if mhz]
        if known:
            clocks[record["payload"]["number"]] = median(known)
    rates = [clocks[record["payload"]["number"]] for record in launches if record["payload"]["number"] in clocks]
    if len(rates) < ENOUGH_LAUNCHES:
        return list(launches)
    usual = median(rates)
    return [_with_clock(record, clocks.get(record["payload"]["number"]), usual) for record in launches]


def _with_clock(record: Record, mhz: float | None, usual: float) -> Record:
    away = 0.0 if mhz is None else 100 * (mhz / usual - 1)
    if mhz is None or abs(away) <= CLOCK_PERCENT:
        return record
    payload = record["payload"]
    why = f"{mhz:.0f} MHz, {abs(away):.1f} % from the {usual:.0f} MHz of the cell's launches: the clock was changed"
    validity = {"state": INVALID, "reasons": [*payload["validity"]["reasons"], why]}
    return {**record, "payload": {**payload, "validity": validity}}
