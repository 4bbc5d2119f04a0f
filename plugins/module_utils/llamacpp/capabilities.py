# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of a build know: the options that their own --help names, and the version that they say.

A build's payload holds `options`, {program: [option, ...]}, sorted; a build that was recorded before has none.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

# Whose code a build is; one that was recorded before there was another is of llama.cpp.
LLAMA_CPP, IK_LLAMA_CPP = "llama.cpp", "ik_llama.cpp"

# The option by which a program of ik_llama.cpp is told to repack the weights at run time; llama.cpp's need not be told.
RUN_TIME_REPACK = "--run-time-repack"

# Programs that have no help: nothing is asked of them but to run.
WITHOUT_HELP = ("llama-system-info",)

_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
# Descriptions that go on in a further line stand below each other, far to the right; options of ik_llama.cpp that have
# no short name stand behind nine spaces.
_MOST_INDENT = 10
# llama-quantize and our own programs name options in the line of their usage.
_USAGE = re.compile(r"\s*usage:", re.IGNORECASE)
_USAGE_OPTION = re.compile(r"(?<![\w./<-])--?[A-Za-z][\w-]*")
_VERSION = re.compile(
    r"^version: (?:(?P<old>[0-9]{1,9}) \(|(?P<version>[\w.+-]{1,40}) \(build (?P<number>[0-9]{1,9})\b)", re.MULTILINE
)


def version_of(source: Optional[Mapping[str, Any]]) -> str:
    """Return what tells the llama.cpp of a build's source from others: its commit, else its build number, as b11434.

    Returns "" where it has neither.
    """
    known = source or {}
    number = known.get("build_number")
    return str(known.get("commit") or ("b%s" % number if number else ""))


class Since(NamedTuple):
    """What an option came with: llama.cpp's pull request, and the month in which that was proposed, as YYYY-MM."""

    pull_request: int
    month: str


# Only what llama.cpp's own pull requests say.
_SINCE: Dict[str, Dict[str, Since]] = {
    "llama-bench": {
        "-d": Since(13096, "2025-04"),
        "--n-depth": Since(13096, "2025-04"),
        "--load-mode": Since(20834, "2026-03"),
    },
    "llama-server": {
        "--no-webui": Since(10751, "2024-12"),
        "--load-mode": Since(20834, "2026-03"),
    },
}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class Version(NamedTuple):
    """What a program says of itself: llama.cpp's version and build number.

    `version` is None before llama.cpp had one, the number where the program was built without one.
    """

    version: Optional[str]
    number: Optional[int]


def parse_help(text: str) -> List[str]:
    """Return the options that a program's --help names, sorted, without values and descriptions."""
    options = set()
    for line in text.splitlines():
        if _USAGE.match(line):
            options.update(_USAGE_OPTION.findall(line))
            continue
        rest = line.lstrip()
        if len(line) - len(rest) > _MOST_INDENT:
            continue
        match = _OPTION.match(rest)
        while match:
            options.add(match.group(0).rstrip("."))
            rest = rest[match.end() :]
            # The other names of one option: after a comma, or after one space where the comma was forgotten.
            between = re.match(r",\s*| (?=-)", rest)
            rest = rest[between.end() :] if between else ""
            match = _OPTION.match(rest)
    return sorted(options)


def parse_version(text: str) -> Version:
    """Return what `--version` printed: `version: 3826 (ea9c32be)`, or `version: 0.5.0 (build 0, commit 0c1e57098)`."""
    match = _VERSION.search(text)
    if not match:
        return Version(None, None)
    # 0 is what a build gets that was not told its number.
    return Version(match.group("version"), int(match.group("old") or match.group("number")) or None)


def options_of(printed: Mapping[str, str]) -> Dict[str, List[str]]:
    """Return {program: options} of what each program of a build printed when it was asked for its help."""
    return {program: parse_help(text) for program, text in sorted(printed.items()) if program not in WITHOUT_HELP}


def recorded(build: Mapping[str, Any], program: str) -> Optional[List[str]]:
    """Return the options of a program of a build, None where the build's payload does not hold them."""
    options = build.get("options")
    known = options.get(program) if isinstance(options, dict) else None
    # Help of which nothing was understood says nothing.
    return known if isinstance(known, list) and known else None


def knows(build: Mapping[str, Any], program: str, option: str) -> Optional[bool]:
    """Say whether a program of a build has an option, None where that is not recorded."""
    known = recorded(build, program)
    return None if known is None else option in known


def asked(argv: Sequence[str]) -> List[str]:
    """Return the options among the arguments of a command, whose first word is the program.

    Values are no options; the program's options all begin with a letter, so that -1 is a value. `--option=value` is the
    option.
    """
    matches = (_OPTION.fullmatch(word.partition("=")[0]) for word in argv[1:])
    return list(dict.fromkeys(match.group(0) for match in matches if match))


def lacks(build: Mapping[str, Any], program: str, argv: Sequence[str]) -> List[str]:
    """Return the options of a command that the program of a build does not know; none where that is not recorded."""
    known = recorded(build, program)
    return [] if known is None else [option for option in asked(argv) if option not in known]


def refusal(build: Mapping[str, Any], program: str, argv: Sequence[str], purpose: str) -> Optional[str]:
    """Return why a command for a purpose, such as `the test load`, cannot be given to a build; None where it can."""
    missing = lacks(build, program, argv)
    if not missing:
        return None
    reasons = [_reason(build, program, option) for option in missing]
    return "build %s has no %s, which %s needs of %s: %s" % (
        build.get("name", "default"),
        ", ".join(missing),
        purpose,
        program,
        "; ".join(dict.fromkeys(reasons)),
    )


def _reason(build: Mapping[str, Any], program: str, option: str) -> str:
    since = _SINCE.get(program, {}).get(option)
    # A build with something younger is not older: there the option went again.
    if since is None or _newest(build) >= since.month:
        return "its %s --help does not name it" % program
    year, _hyphen, month = since.month.partition("-")
    when = "%s %s" % (_MONTHS[int(month) - 1], year)
    return "it is older than llama.cpp's pull request %d of %s" % (since.pull_request, when)


def _newest(build: Mapping[str, Any]) -> str:
    """Return the month of the youngest option of which the table tells when it came, "" when there is none."""
    months = [
        since.month
        for program, options in _SINCE.items()
        for option, since in options.items()
        if option in (recorded(build, program) or [])
    ]
    return max(months, default="")
