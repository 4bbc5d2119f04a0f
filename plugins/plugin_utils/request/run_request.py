# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked for: the one object that is made of role variables, and that every planner reads."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import WorkloadError, kind_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import parse_test as fields_of_test
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.models import texts
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import QuantizationError, lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import Shape, likely_shape, shape_of
from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import (
    ModelSource,
    ModelSourceError,
    parse,
    public_entry,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import failure
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean
from ansible_collections.cloudbench.llama.plugins.module_utils.system import environment
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.validity import ENOUGH_LAUNCHES
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds as catalog
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices

# The word for the file type that llama.cpp once had for the very processor.
LEGACY = "legacy"
# The word for every build and variant of a run against the first of them.
AUTO = "auto"

Payload = dict[str, Any]
Item = TypeVar("Item")


class RequestError(ValueError):
    """What is asked for is not possible; the message names the value, the rule and the remedy.

    `advice` is a sentence that says more than which variable to correct, "" where there is no more to say.
    """

    def __init__(self, cause: str, advice: str = "") -> None:
        super().__init__(cause)
        self.advice = advice


class Variable(NamedTuple):
    """A role's variable that is part of a request: its name, its entry in an argument spec, the least of a number.

    The entry is for the roles and the documentation. What a value means is read here, in one place, with one wording.
    """

    name: str
    specification: Mapping[str, Any]
    least: float | None = None


_SECONDS = {"type": "float", "required": True}
# Of whatever is counted or timed nobody means more.
_MOST = 1e9

# The one table of what may be asked for, by the name that a request has for it. The roles' defaults and argument specs
# repeat it, because Ansible wants them there; a test holds them to it.
VARIABLES: Mapping[str, Variable] = {
    "models": Variable(
        "llama_model_models", {"type": "list", "elements": "raw", "default": ["llama-3.2-1b-synthetic"]}
    ),
    "quantizations": Variable("llama_model_quantizations", {"type": "list", "elements": "str", "default": ["Q4_0"]}),
    "builds": Variable("llama_cpp_builds", {"type": "list", "elements": "raw", "default": [catalog.DEFAULT]}),
    "threads": Variable("llama_bench_threads", {"type": "list", "elements": "raw", "default": []}),
    "variants": Variable("llama_bench_variants", {"type": "list", "elements": "raw", "default": []}),
    "tests": Variable(
        "llama_bench_tests",
        {
            "type": "list",
            "elements": "str",
            "default": [
                "pp512",
                "tg128",
                "load",
                "serve128+64@c1",
                "tg32,repack=off",
                "tg32,load=none",
                "serve128+64@c2",
                "serve128+64@c4",
                "batch128+64@c4",
                "pp128",
                "pp2048",
                "tg128@d2048",
                "pp8192",
                "tg128@d8192",
            ],
        },
    ),
    "launches": Variable("llama_bench_launches", {"type": "int", "default": 6}, least=1),
    "launches_most": Variable("llama_bench_launches_most", {"type": "int", "default": 30}, least=1),
    "repetitions": Variable("llama_bench_repetitions", {"type": "int", "default": 2}, least=1),
    "minutes": Variable("llama_bench_minutes", {"type": "float", "default": 60}, least=0),
    "slots": Variable("llama_bench_slots", {"type": "int", "default": 4}, least=1),
    "requests": Variable("llama_bench_requests", {"type": "int", "default": 4}, least=1),
    "slo": Variable(
        "llama_bench_slo",
        {
            "type": "dict",
            "default": {"ttft_s": 2.0, "tpot_s": 0.1},
            "options": {"ttft_s": _SECONDS, "tpot_s": _SECONDS},
        },
    ),
    "twin": Variable("llama_bench_twin", {"type": "bool", "default": True}),
    # A list, because there may be several, and because "all that suggest themselves" (AUTO) and "none" are lists too.
    "duets": Variable("llama_bench_duets", {"type": "list", "elements": "raw", "default": ["auto"]}),
    "reference": Variable("llama_model_reference", {"type": "str", "default": "F16"}),
    "text": Variable("llama_model_text", {"type": "raw", "default": texts.QUALITY}),
    "quality_limit_percent": Variable(
        "llama_bench_quality_limit_percent", {"type": "float", "default": 1}, least=0.0001
    ),
    "price": Variable("llama_bench_price", {"type": "dict", "default": {}}),
    "environment": Variable("llama_bench_environment", {"type": "dict", "default": {}}),
    "seed": Variable("llama_bench_seed", {"type": "int", "default": None}),
}

# Those that say something only where what is predicted is measured.
OF_QUALITY = ("reference", "text", "quality_limit_percent")

# The option `request` of the modules that plan, in their argument specs.
OPTION: Mapping[str, Any] = {"type": "dict", "required": True}


def defaults() -> dict[str, Any]:
    """Return what is asked for where nobody says otherwise, by field."""
    return {field: copy.deepcopy(variable.specification["default"]) for field, variable in VARIABLES.items()}


class Model(NamedTuple):
    """A model that is asked for: its entry as it was given, what that says, and its shape where that is told."""

    name: str
    entry: Any
    source: ModelSource
    shape: Shape | None


class Build(NamedTuple):
    """A build that is asked for, with its entry as it was given."""

    name: str
    entry: Any

    @property
    def reads_legacy(self) -> bool:
        """Whether it has the file types that llama.cpp removed, and none of what came later."""
        return catalog.reads_legacy(self.entry)


class Duet(NamedTuple):
    """What is to be measured at the same moment, B against A: words that name each side, and the tests.

    A word is the name of a build, a model or a quantization, or a setting as `name=value`. No words on either side
    stand for AUTO; no tests for those that are usual and asked for.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    tests: tuple[Cell, ...]

    @property
    def auto(self) -> bool:
        """Whether it stands for every build and variant against the first."""
        return not self.a and not self.b


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked for, checked as far as no machine is needed for that.

    Models, builds, quantizations (by llama.cpp's spelling, or LEGACY), threads, variants (the text of a cell, "" for
    none) and tests (fields of cells) are those that are possible, each once, in the order given; `refused` are payloads
    of failure records, one for each value that is not. No `threads` leaves them to the ladder of the run.
    `launches_most` is that of a cell in this run; `minutes` 0 is no limit; `environment` are variables for the programs
    that are measured; `reference` is the quantization that quality is measured against, `text` the name of what it is
    measured on, and up to `quality_limit_percent` more perplexity is little; `price` is what a person says that a host
    costs, as a run record has it. `asked` is everything as it was given, by field.
    """

    models: tuple[Model, ...]
    quantizations: tuple[str, ...]
    builds: tuple[Build, ...]
    threads: tuple[int, ...]
    variants: tuple[str, ...]
    tests: tuple[Cell, ...]
    launches: int
    launches_most: int
    repetitions: int
    minutes: float
    slots: int
    requests: int
    slo_ttft_s: float
    slo_tpot_s: float
    twin: bool
    duets: tuple[Duet, ...]
    reference: str
    text: str
    quality_limit_percent: float
    environment: Mapping[str, str]
    price: Payload | None
    seed: int | None
    refused: tuple[Payload, ...]
    asked: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RunRequest:
        """Return the request of values by field; what is not named is asked for as by default.

        A single model, quantization, build, thread count or test that cannot be meant is `refused`, so that one bad
        value stops no other. Raises RequestError for what stops them all.
        """
        for field in values:
            if field not in VARIABLES:
                hint = did_you_mean(field, VARIABLES)
                raise RequestError(f"a run is not asked for by {field!r:.60}, but by {', '.join(VARIABLES)}{hint}")
        asked = {field: read(VARIABLES[field], value) for field, value in {**defaults(), **values}.items()}
        for field, value in asked.items():
            _check_recordable(VARIABLES[field].name, value)
        asked["slo"] = {name: _target(asked["slo"].get(name), name) for name in ("ttft_s", "tpot_s")}
        settings = LaunchSettings(
            repetitions=asked["repetitions"],
            slots=asked["slots"],
            requests=asked["requests"],
            slo_ttft_s=asked["slo"]["ttft_s"],
            slo_tpot_s=asked["slo"]["tpot_s"],
        )
        try:
            price = prices.paid(asked["price"])
        except prices.PriceError as error:
            raise RequestError(str(error)) from error
        try:
            variables = environment.checked(asked["environment"], _variable("environment"))
        except environment.EnvironmentRefused as error:
            raise RequestError(str(error)) from error
        asked["environment"] = variables
        try:
            reference, text = lookup(str(asked["reference"])).name, texts.parse(asked["text"]).name
        except QuantizationError as error:
            raise RequestError(f"{_variable('reference')}: {error}") from error
        except texts.TextSourceError as error:
            raise RequestError(f"{_variable('text')}: {error}") from error
        refused: list[Payload] = []
        launches = asked["launches"]
        models = _named(asked["models"], _model, _variable("models"), refused)
        quantizations = possible(asked["quantizations"], _quantization, _variable("quantizations"), refused)
        builds = _named(asked["builds"], _build, _variable("builds"), refused)
        names = [*(build.name for build in builds), *(model.name for model in models), *quantizations]
        duets = possible(asked["duets"], lambda entry: _duet(entry, names, settings), _variable("duets"), refused)
        return cls(
            models=tuple(models),
            quantizations=tuple(quantizations),
            builds=tuple(builds),
            threads=tuple(possible(asked["threads"], _threads, _variable("threads"), refused)),
            variants=tuple(possible(asked["variants"], variant.parse, _variable("variants"), refused)),
            tests=tuple(possible(asked["tests"], lambda text: parse_test(text, settings), _variable("tests"), refused)),
            launches=launches,
            launches_most=_most(launches, asked["launches_most"]),
            repetitions=settings.repetitions,
            minutes=asked["minutes"],
            slots=settings.slots,
            requests=settings.requests,
            slo_ttft_s=settings.slo_ttft_s,
            slo_tpot_s=settings.slo_tpot_s,
            twin=asked["twin"],
            duets=tuple(duets),
            reference=reference,
            text=text,
            quality_limit_percent=asked["quality_limit_percent"],
            environment=variables,
            price=price,
            seed=asked["seed"],
            refused=tuple(refused),
            asked=asked,
        )

    @property
    def quick(self) -> bool:
        """Whether a cell gets fewer launches than a figure that holds needs."""
        return self.launches < ENOUGH_LAUNCHES

    @property
    def settings(self) -> LaunchSettings:
        """What each launch is told."""
        return LaunchSettings(
            repetitions=self.repetitions,
            slots=self.slots,
            requests=self.requests,
            slo_ttft_s=self.slo_ttft_s,
            slo_tpot_s=self.slo_tpot_s,
        )

    def variables(self, seed: int) -> dict[str, Any]:
        """Return the role variables that ask for the same again with this seed, short of what may be a secret."""
        shown = {
            **self.asked,
            "models": [public_entry(entry) for entry in self.asked["models"]],
            "builds": [catalog.public_build(entry) for entry in self.asked["builds"]],
            "environment": self.environment or None,
            "price": self.price,
            "seed": seed,
        }
        # Where nothing is measured by them they say nothing.
        if not any(kind_of(test).needs for test in self.tests):
            shown.update(dict.fromkeys(OF_QUALITY))
        return {row.name: shown[field] for field, row in VARIABLES.items() if shown[field] is not None}


def parse_test(text: Any, settings: LaunchSettings) -> Cell:
    """Return the fields of a cell that a test's name stands for; see kinds/registry.py. Raises RequestError."""
    try:
        cell = fields_of_test(text)
    except WorkloadError as error:
        raise RequestError(str(error)) from error
    trouble = kind_of(cell).trouble(cell, settings)
    if trouble:
        raise RequestError(*trouble)
    return cell


def possible(values: Iterable[Any], check: Callable[[Any], Item], variable: str, refused: list[Payload]) -> list[Item]:
    """Return what `check` makes of values of a role variable, each once; what it refuses joins `refused`."""
    kept: list[Item] = []
    for value in values:
        try:
            item = check(value)
        except (RequestError, QuantizationError, catalog.BuildError, ModelSourceError, variant.VariantError) as error:
            cause = str(error) if str(error).endswith("?") else f"{error}."
            advice = getattr(error, "advice", "") or f"Correct {variable}."
            refused.append(failure("plan", cause, advice, asked_for=str(public_entry(value))[:200]))
        else:
            if item not in kept:
                kept.append(item)
    return kept


Named = TypeVar("Named", Model, Build)


def _named(values: Iterable[Any], check: Callable[[Any], Named], variable: str, refused: list[Payload]) -> list[Named]:
    """Return what is possible; two different things of one name are a mistake."""
    entries: dict[str, Any] = {}

    def check_name(value: Any) -> Named:
        item = check(value)
        if entries.setdefault(item.name, value) != value:
            raise RequestError(f"two different entries are called {item.name!r:.60}: give each a name of its own")
        return item

    return possible(values, check_name, variable, refused)


def _variable(field: str) -> str:
    return VARIABLES[field].name


def _check_recordable(name: str, value: Any) -> None:
    """Raise RequestError for a value that no record can hold: what was asked for is part of the records of a run."""
    try:
        json.dumps(value, allow_nan=False, default=str)
    except (RecursionError, ValueError) as error:
        raise RequestError(
            f"{name} holds .inf, .nan or a list that is nested without end, which no record can hold: take it out"
        ) from error


def read(variable: Variable, value: Any) -> Any:
    """Return the value of a variable, which may be a text, as on a command line. Raises RequestError."""
    kind = variable.specification["type"]
    if value is None and variable.specification["default"] is None:
        return None
    if kind in ("str", "raw"):
        return value
    if kind == "list":
        return _list(variable.name, value)
    if kind == "dict":
        return _mapping(variable.name, value)
    if kind == "bool":
        return _truth(variable.name, value)
    number = _number(variable.name, value)
    if kind == "int" and number != int(number):
        raise RequestError(f"{variable.name} is a whole number, not {value!r:.40}")
    if variable.least is not None and number < variable.least:
        raise RequestError(f"{variable.name} must be {variable.least:g} or more, not {value!s:.40}")
    if variable.least is not None and number > _MOST:
        raise RequestError(f"{variable.name} must be {_MOST:g} or less, not {value!r:.40}")
    return int(number) if kind == "int" else number


def _number(name: str, value: Any) -> float | int:
    """Return a number as exactly as it was given: a seed has more digits than a float holds."""
    for read in (int, float):
        try:
            number = read(value) if isinstance(value, str) else value if isinstance(value, int) else float(value)
        except (TypeError, ValueError, OverflowError):
            continue
        if not isinstance(value, bool) and (isinstance(number, int) or math.isfinite(number)):
            return number
    raise RequestError(f"{name} is a number, not {value!r:.40}")


def _truth(name: str, value: Any) -> bool:
    # Ansible's own words.
    words = {
        **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True),
        **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), False),
    }
    truth = words.get(str(value).strip().lower())
    if truth is None:
        raise RequestError(f"{name} is true or false, not {value!r:.40}")
    return truth


def _list(name: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")] if value else []
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # As Ansible takes it: a list of one.
        return [value]
    raise RequestError(f"{name} is a list, not {public_entry(value)!r:.40}")


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json_text.loads(value)
        except ValueError:
            pass
    if not isinstance(value, Mapping):
        raise RequestError(f"{name} is a mapping, not {value!r:.40}; on a command line it is written as JSON")
    return dict(value)


def _target(value: Any, name: str) -> float:
    variable = VARIABLES["slo"].name
    if value is None:
        raise RequestError(f"{variable} needs {name}, a number of seconds above 0")
    seconds = _number(f"{name} of {variable}", value)
    if seconds <= 0:
        raise RequestError(f"{name} of {variable} must be above 0, not {value!s:.40}")
    return seconds


def _model(entry: Any) -> Model:
    source = parse(entry)
    shape = shape_of(source.name) or likely_shape(
        source.name, source.file, source.repository, source.path, source.url, source.s3
    )
    return Model(source.name, entry, source, shape)


def _quantization(name: Any) -> str:
    return LEGACY if name == LEGACY else lookup(str(name)).name


def _build(entry: Any) -> Build:
    return Build(catalog.build_name(entry), entry)


def _threads(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"threads must be a whole number, not {value!r:.40}") from None
    if isinstance(value, bool) or (isinstance(value, float) and value != number):
        raise RequestError(f"threads must be a whole number, not {value!r:.40}")
    if number < 1:
        raise RequestError(f"threads must be 1 or more, not {value!s:.40}")
    return number


_DUET_KEYS = ("a", "b", "tests")


def _duet(entry: Any, names: Sequence[str], settings: LaunchSettings) -> Duet:
    """Return an entry of the duets; `names` are those of the builds, models and quantizations of the run."""
    if entry == AUTO:
        return Duet((), (), ())
    form = "write {a: default, b: lto}, perhaps with tests, or auto"
    if not isinstance(entry, Mapping):
        raise RequestError(f"a duet is a mapping with a and b, not {entry!r:.60}: {form}{did_you_mean(entry, [AUTO])}")
    for key in entry:
        if key not in _DUET_KEYS:
            raise RequestError(f"a duet has {', '.join(_DUET_KEYS)}, not {key!r:.40}{did_you_mean(key, _DUET_KEYS)}")
    a, b = (_duet_side(entry.get(key), key, names, form) for key in ("a", "b"))
    tests = [parse_test(text, settings) for text in _list("tests of a duet", entry.get("tests") or [])]
    for test in tests:
        if not duettable(test):
            raise RequestError(
                f"{test['test']} cannot be measured in a duet: it is of a prompt or of generation by llama-bench, such "
                "as pp512 or tg128, without a context before it"
            )
    return Duet(a, b, tuple(tests))


def duettable(cell: Cell) -> bool:
    """Say whether a cell can be measured in a duet: all that its program does after its first repetition is timed."""
    return kind_of(cell).name == "bench" and not cell["n_depth"]


def _duet_side(value: Any, key: str, names: Sequence[str], form: str) -> tuple[str, ...]:
    words = tuple(str(value).split()) if isinstance(value, (str, int, float)) else ()
    if not words:
        raise RequestError(f"{key} of a duet names what is measured, not {value!r:.40}: {form}")
    kept = []
    for word in words:
        if "=" in word:
            kept += variant.parse(word).split("+")
            continue
        known = [name for name in names if name.lower() == word.lower()]
        if not known:
            raise RequestError(
                f"{word!r:.60} in {key} of a duet is no build, model or quantization of this run, which has "
                f"{', '.join(names)}{did_you_mean(word, names)}"
            )
        kept.append(known[0])
    return tuple(kept)


def _most(launches: int, most: int) -> int:
    """Return the most launches of a cell; a quick run launches what it was asked to.

    The default gives way to more launches; a number that was chosen does not. Raises RequestError.
    """
    if most < launches and most != VARIABLES["launches_most"].specification["default"]:
        names = _variable("launches_most"), _variable("launches")
        raise RequestError(
            f"{names[0]} is {most}, below the {launches} of {names[1]}: ask for {launches} or more at most, or for "
            f"{most} launches or fewer"
        )
    return max(launches, most) if launches >= ENOUGH_LAUNCHES else launches
