# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the workers of ansible-playbook tell the callback how far their hosts are: through a pipe that nothing waits for.

The callback opens it before the first worker is forked and puts its end into the environment. It is no file, so that
nothing is left of it whatever becomes of the command. A line is at most PIPE_BUF long, and so whole (pipe(7)).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
from collections.abc import Iterator
from typing import Any

VARIABLE = "CLOUDBENCH_FLEET_FD"


def tell(host: str, left_s: float | None) -> None:
    """Tell the seconds that a host has left, where somebody listens. A full pipe loses the line: another follows."""
    given = os.environ.get(VARIABLE, "")
    line = json.dumps([host, left_s]).encode() + b"\n"
    if given.isdigit() and len(line) <= select.PIPE_BUF:
        with contextlib.suppress(OSError):
            os.write(int(given), line)


class Channel:
    """The callback's end."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for descriptor in (self._read, self._write):
            os.set_blocking(descriptor, False)
        self._rest = b""
        os.environ[VARIABLE] = str(self._write)

    def told(self, seconds: float) -> Iterator[tuple[str, float | None]]:
        """Yield what was told, waiting for it for at most so many seconds."""
        if not select.select([self._read], [], [], seconds)[0]:
            return
        with contextlib.suppress(BlockingIOError):
            self._rest += os.read(self._read, 1 << 16)
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            entry: Any = json.loads(line)
            yield str(entry[0]), entry[1]

    def close(self) -> None:
        """Listen no more."""
        if os.environ.get(VARIABLE) == str(self._write):
            del os.environ[VARIABLE]
        for descriptor in (self._read, self._write):
            os.close(descriptor)
