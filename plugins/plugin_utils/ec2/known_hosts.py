# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host keys: what a console shows of them, and the known_hosts of a run, which keeps what was once known.

A line of the file names the instance by its id and its address, so that a fleet that is kept is known by its instances
when its consoles have long scrolled on, and a key that changed is told from one of another instance.
Source: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; RFC 4253, 6.6; RFC 5656, 3.1; cloud-init, cc_keys_to_console.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_KEY_TEXT = r"((?:ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]+=*)(?=\s|$)"
# What user_data.sh.j2 writes on the console, a line for each key.
_OWN = re.compile(rf"(?:^|\s)cloudbench-host-key {_KEY_TEXT}")
# What cloud-init writes; a key stands there at the beginning of its line, behind the time of the kernel or a name.
_BEGIN, _END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
_IN_BLOCK = re.compile(rf"^[ \t]*(?:\[ *[0-9.]+\] *)?(?:cloud-init\[\d+\]: *)?{_KEY_TEXT}", re.MULTILINE)
# Of how many parts a key consists, its type among them.
_PARTS = {"ssh-ed25519": 2, "ssh-rsa": 3}


def host_keys(console: str) -> tuple[str, ...]:
    """Return the public keys, `type base64`, that a console shows, each once and in its order.

    A key that other output has torn is none.
    """
    text = console.replace("\r", "\n")
    shown = [match.group(1) for match in _OWN.finditer(text)]
    shown += [match.group(1) for block in _blocks(text) for match in _IN_BLOCK.finditer(block)]
    return tuple(dict.fromkeys(key for key in shown if _is_whole(key)))


def _blocks(text: str) -> Iterator[str]:
    """Return what stands between the marks of cloud-init; of a block that never ends there is nothing."""
    at = 0
    while (begin := text.find(_BEGIN, at)) >= 0 and (end := text.find(_END, begin)) >= 0:
        yield text[begin + len(_BEGIN) : end]
        at = end


def _is_whole(key: str) -> bool:
    """Whether the base64 of a key is all of a key of its type: strings, each behind its length, and nothing else."""
    kind, _space, text = key.partition(" ")
    try:
        rest = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    parts = []
    while len(rest) >= 4:
        length = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + length:
            return False
        parts.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    return not rest and len(parts) == _PARTS.get(kind, 3) and parts[0] == kind.encode() and all(parts)


def changed_keys(known: Iterable[str], shown: Iterable[str]) -> list[str]:
    """Return the keys that are shown and not known though one of their type is."""
    known = set(known)
    kinds = {key.partition(" ")[0] for key in known}
    return [key for key in shown if key not in known and key.partition(" ")[0] in kinds]


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Return the keys of a known_hosts file by each name that it has, of plain lines alone."""
    by_name: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not words[0].startswith(("#", "@", "|")):
            for name in words[0].split(","):
                by_name[name] = (*by_name.get(name, ()), f"{words[1]} {words[2]}")
    return by_name


def merge(text: str, hosts: Mapping[str, tuple[str, Iterable[str]]]) -> str:
    """Return a known_hosts file with what it lacked; no line of `text` is lost.

    `hosts`: by instance id, the address and the keys.
    """
    lines = text.splitlines()
    for name, (address, keys) in hosts.items():
        for key in keys:
            at = next((at for at, line in enumerate(lines) if _is_of(line, name, key)), None)
            if at is None:
                lines.append(f"{','.join(dict.fromkeys((name, address)))} {key}")
                continue
            names, space, rest = lines[at].partition(" ")
            # An instance that was stopped and started has another address and its old keys.
            lines[at] = ",".join(dict.fromkeys((*names.split(","), address))) + space + rest
    return "".join(f"{line}\n" for line in lines)


def _is_of(line: str, name: str, key: str) -> bool:
    words = line.split()
    return len(words) >= 3 and name in words[0].split(",") and f"{words[1]} {words[2]}" == key


def read(path: str | None) -> str:
    """Return the text of a known_hosts file, nothing where there is none. Raises OSError."""
    if not path or not Path(path).exists():
        return ""
    return Path(path).read_text(encoding="utf-8")


def write(path: str, text: str) -> bool:
    """Write the known hosts for their owner alone, as a whole or not at all; return whether that was a change.

    Raises OSError.
    """
    file = Path(path)
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    new = file.with_name(file.name + ".new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(file)
    return True
