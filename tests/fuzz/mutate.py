# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that are nearly right: true ones, broken in the ways in which files, programs and people break them.

Hypothesis makes some hundred inputs a second, this some ten thousand. The same random numbers give the same input, so
that a number is enough to have it again.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from fuzz.target import MOST_BYTES, Target

# As they may stand in the place of a number, whoever wrote it.
NUMBERS = (
    "0", "-0", "-1", "1", "2", "127", "255", "65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296",
    "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
    "1e15", "1e-15", "1e300", "1e308", "1e309", "1e999", "-1e999", "1e-400", "0.1", "-0.0", "1.5", "NaN", "nan", "-nan",
    "Infinity", "-Infinity", "inf", "null", "true", "", "1_000", "1,040", "1.040", "1.234.567,8", "1,234,567.8", "0x10",
    "0b1", "1e5", "+1", "00012", "1.", ".5", "-", "--1", "1-2", "0-99999999999", "1e", "²", "٣", "\uff11", "½", "Ⅷ",
    "1" + 40 * "0", 309 * "9", 400 * "9", 4300 * "9", 4301 * "9", 6000 * "1", "0." + 500 * "3", "1:30", "12h", "5m",
)  # fmt: skip
# As they may stand in the place of a word.
TEXTS = (
    "", " ", "\0", "a\0b", "\t", "\r", "\r\n", "\n", "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x7f", "\u202eabc",
    "\u2066", "\u200b", "\ufeff", "\u2028", "\x85", "\x0c", "\x1c", "\ufffd", "\ud800", "\udfff", "é", "ß", "İ", "ﬁ",
    "\U0001d7d9", "🦙", "e" + 300 * "\u0301", "..", "../../x", "/", "//", "/dev/null", "~", ".", "-", "--help", "-rf",
    "a/b", "a\\b", "C:\\x", "{{ 7 * 7 }}", "{% raw %}", "{x}", "{0}", "{", "}", "%s", "%n", "%(x)s", "%", "$(x)", "`x`",
    "$x", ";", "|", "&", "<b>", "</script>", "=1+1", "+1", "@x", "'", '"', "\\", "\\u0000", "\\ud800", "#",
    "!x", "*x", "&x", "a=b", "=", ":", ",", "+", "a,b", "[]", "{}", "null", "true", "on", "None", "default",
    "unknown", "auto", "legacy", 200 * "A", 5000 * "A", 300 * "é", "README.md", "con.md", "..gguf", "x.gguf",
)  # fmt: skip
_BYTES = b"\0\x01\x08\x09\x0a\x0d\x1b\x20\"'()*+,-./0129:;<=>?@[\\]_`{|}~\x7f\x80\xc3\xed\xff"
# Of what is one number to a program that reads bytes.
_WORDS = (
    0,
    1,
    2,
    7,
    8,
    9,
    10,
    0x7F,
    0xFF,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
)

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_QUOTED = re.compile(rb'"[^"\n]{0,200}"')
_WORD = re.compile(rb"[A-Za-z_][\w.-]*")


class Mutator:
    """Makes inputs of a target."""

    def __init__(self, target: Target) -> None:
        self.corpus = [data[:MOST_BYTES] for data in target.corpus()]
        if not self.corpus:
            raise ValueError(f"{target.name} has no corpus: give it one input at least")
        words = (*target.words, *TEXTS)
        # Of what it looks for as much as of all the rest.
        repeated = max(1, len(TEXTS) // max(1, len(target.words)))
        self._words = [word.encode("utf-8", "surrogatepass") for word in (*target.words * repeated, *words)]
        self._numbers = [number.encode() for number in NUMBERS]
        ways: list[Callable[[Random, bytes], bytes]] = [
            self._flip, self._put, self._cut, self._repeat, self._lines, self._number, self._number, self._insert,
            self._quoted, self._word, self._nest, self._truncate, self._splice,
        ]  # fmt: skip
        if target.binary:
            ways += [self._binary] * 8
        self._ways = ways
        self._is_json = [_looks_like_json(data) for data in self.corpus]

    def make(self, random: Random) -> bytes:
        """Return an input; one in fifty is a true one."""
        at = int(random.random() * len(self.corpus))
        data = self.corpus[at]
        chance = random.random()
        if chance < 0.02:
            return data
        if self._is_json[at] and chance < 0.6:
            data = self._of_json(random, data)
            if chance < 0.45:
                return data[:MOST_BYTES]
        for _turn in range(1 + int(random.expovariate(0.7))):
            data = self._ways[int(random.random() * len(self._ways))](random, data)
        return data[:MOST_BYTES]

    # ---- Bytes ----

    def _flip(self, random: Random, data: bytes) -> bytes:
        changed = bytearray(data)
        for _time in range(1 + int(random.random() * 4)):
            if changed:
                changed[int(random.random() * len(changed))] ^= 1 << int(random.random() * 8)
        return bytes(changed)

    def _put(self, random: Random, data: bytes) -> bytes:
        at = int(random.random() * (len(data) + 1))
        odd = _BYTES[int(random.random() * len(_BYTES))]
        return data[:at] + bytes((odd,)) + data[at + (random.random() < 0.5) :]

    def _cut(self, random: Random, data: bytes) -> bytes:
        begin, end = _slice(random, data)
        return data[:begin] + data[end:]

    def _repeat(self, random: Random, data: bytes) -> bytes:
        begin, end = _slice(random, data)
        times = 1 + int(random.random() * 3) if random.random() < 0.9 else 1 + int(random.random() * 2000)
        return data[:begin] + data[begin:end] * min(times, 1 + MOST_BYTES // max(1, end - begin)) + data[begin:]

    def _truncate(self, random: Random, data: bytes) -> bytes:
        at = int(random.random() * (len(data) + 1))
        return data[:at] if random.random() < 0.8 else data[at:]

    def _splice(self, random: Random, data: bytes) -> bytes:
        other = self.corpus[int(random.random() * len(self.corpus))]
        begin, end = _slice(random, other)
        at = int(random.random() * (len(data) + 1))
        return data[:at] + other[begin:end] + data[at:]

    def _binary(self, random: Random, data: bytes) -> bytes:
        """Put a number of 1, 4 or 8 bytes, or one that is near the one that stands there."""
        width = (1, 4, 8)[int(random.random() * 3)]
        if len(data) < width:
            return data
        at = int(random.random() * (len(data) - width + 1))
        if random.random() < 0.5:
            number = _WORDS[int(random.random() * len(_WORDS))]
        else:
            number = int.from_bytes(data[at : at + width], "little") + int(random.random() * 9) - 4
        return data[:at] + struct.pack("<Q", number % 2**64)[:width] + data[at + width :]

    # ---- Text ----

    def _lines(self, random: Random, data: bytes) -> bytes:
        """Leave a line out, have it again, put it elsewhere, join it with the next, or cut it."""
        lines = data.split(b"\n")
        at = int(random.random() * len(lines))
        way = int(random.random() * 6)
        if way == 0:
            del lines[at]
        elif way == 1:
            times = 1 + int(random.random() * 3) if random.random() < 0.9 else int(random.random() * 500)
            lines[at:at] = [lines[at]] * min(times, MOST_BYTES // (len(lines[at]) + 1))
        elif way == 2:
            lines.insert(int(random.random() * len(lines)), lines.pop(at))
        elif way == 3:
            lines[at : at + 2] = [b"".join(lines[at : at + 2])]
        elif way == 4:
            lines[at] = lines[at][: int(random.random() * (len(lines[at]) + 1))]
        else:
            cut = int(random.random() * (len(lines[at]) + 1))
            lines[at : at + 1] = [lines[at][:cut], lines[at][cut:]]
        return b"\n".join(lines)

    def _number(self, random: Random, data: bytes) -> bytes:
        return _instead(random, data, _NUMBER, self._numbers)

    def _word(self, random: Random, data: bytes) -> bytes:
        return _instead(random, data, _WORD, self._words)

    def _quoted(self, random: Random, data: bytes) -> bytes:
        return _instead(random, data, _QUOTED, self._words, b'"')

    def _insert(self, random: Random, data: bytes) -> bytes:
        at = int(random.random() * (len(data) + 1))
        return data[:at] + self._words[int(random.random() * len(self._words))] + data[at:]

    def _nest(self, random: Random, data: bytes) -> bytes:
        """Open brackets within each other, mostly few, sometimes as many as no reader can follow, and close them."""
        begin, end = _slice(random, data)
        depth = 1 + int(random.random() * 4) if random.random() < 0.7 else int(10 ** (1 + 3.3 * random.random()))
        opened, closed = ((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"))[int(random.random() * 3)]
        return data[:begin] + opened * depth + data[begin:end] + closed * depth + data[end:]

    # ---- JSON ----

    def _of_json(self, random: Random, data: bytes) -> bytes:
        """Change one place of a JSON text, or of one of its lines: another value, another key, or nothing."""
        lines = data.split(b"\n") if data[:1] == b"{" else [data]
        at = int(random.random() * len(lines))
        try:
            value = json.loads(lines[at])
        except (ValueError, RecursionError):
            return data
        root = [value]
        holder: Any = root
        place: Any = 0
        while isinstance(holder[place], (dict, list)) and holder[place] and random.random() < 0.85:
            holder = holder[place]
            place = _any(random, list(holder)) if isinstance(holder, dict) else int(random.random() * len(holder))
        raw = self._replaced(random, holder, place)
        text = json.dumps(root[0] if root else None, ensure_ascii=random.random() < 0.5)
        lines[at] = text.replace('"@@"', raw).encode("utf-8", "surrogatepass")
        return b"\n".join(lines)

    def _replaced(self, random: Random, holder: Any, place: Any) -> str:
        """Change what stands at a place, and return what the mark `@@` there stands for as JSON."""
        way = int(random.random() * 10)
        if way < 4:
            holder[place] = "@@"
            return NUMBERS[int(random.random() * len(NUMBERS))] or "0"
        if way < 6:
            holder[place] = self._words[int(random.random() * len(self._words))].decode("utf-8", "surrogatepass")
        elif way == 6:
            holder[place] = ([], {}, None, True, [None], {"": None}, [[]])[int(random.random() * 7)]
        elif way == 7:
            holder[place] = [holder[place]] if random.random() < 0.5 else {"a": holder[place]}
        elif way == 8 and isinstance(holder, dict):
            held = holder.pop(place)
            if random.random() < 0.5:
                holder[self._words[int(random.random() * len(self._words))].decode("utf-8", "surrogatepass")] = held
        elif isinstance(holder, list) and random.random() < 0.5:
            holder[place : place + 1] = [holder[place]] * int(random.random() * 4)
        else:
            holder[place] = "@@"
            depth = 1 + int(random.random() * 4) if random.random() < 0.5 else int(10 ** (1 + 3 * random.random()))
            return "[" * depth + "1" + "]" * depth
        return "0"


def _looks_like_json(data: bytes) -> bool:
    return data.lstrip()[:1] in (b"{", b"[")


def _any(random: Random, items: Sequence[Any]) -> Any:
    return items[int(random.random() * len(items))]


def _slice(random: Random, data: bytes) -> tuple[int, int]:
    """Return where a part begins and ends, mostly a short one."""
    begin = int(random.random() * (len(data) + 1))
    most = len(data) - begin
    return begin, begin + int(most * random.random() ** 4 if random.random() < 0.8 else most * random.random())


def _instead(random: Random, data: bytes, pattern: re.Pattern[bytes], odd: Sequence[bytes], mark: bytes = b"") -> bytes:
    """Put something odd in the place of what matches a pattern, the next one behind a random place."""
    match = pattern.search(data, int(random.random() * len(data))) or pattern.search(data)
    if match is None:
        return data
    return data[: match.start()] + mark + odd[int(random.random() * len(odd))] + mark + data[match.end() :]
