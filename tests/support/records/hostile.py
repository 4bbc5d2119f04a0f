# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strings that act where they should only show, and records in which they stand wherever a host may put a word.

They are harmless: what one of them would do is to set a title, to ask an address of documentation (RFC 2606), or to
make a file called MARK.
"""

from __future__ import annotations

import copy
from typing import Any

Record = dict[str, Any]

OWNED = "owned"
MARK = "touched-by-a-name"

PAYLOADS = {
    # HTML and SVG
    "element": f"<img src=x onerror=\"document.title='{OWNED}'\">",
    "script": f'</td></table></details></code></pre><script>document.title="{OWNED}"</script>',
    "svg": f"</text></svg><svg onload=\"document.title='{OWNED}'\"><a xlink:href=\"javascript:alert(1)\">x</a></svg>",
    "foreign object": f'<foreignObject><body onload="document.title=\'{OWNED}\'"/></foreignObject>',
    "style": "<style>*{display:none}</style><link rel=stylesheet href=https://example.com/x.css>",
    "frame": '<iframe src="https://example.com/"></iframe><meta http-equiv=refresh content="0;url=//example.com">',
    "attribute": f"x\" onmouseover=\"document.title='{OWNED}'\" style=\"position:fixed",
    "comment": "--><!-- <!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/hostname'>]>&y;",
    "entity": "&lt;script&gt;&#60;script&#62;&amp;",
    # Markdown
    "link": "[x](javascript:alert(1)) ![y](https://example.com/y.png) <https://example.com> www.example.com @name",
    "reference": "[x]: https://example.com 'x'\n\n[x] [^1]\n\n[^1]: note",
    "block": "a|b\n\n# heading\n\n```\n~~~\n> quote\n- item\n\n---\n",
    "ticks": "|`<" * 300,
    # Tables of figures
    "formula": '=HYPERLINK("https://example.com/?"&A1,"x")',
    "command formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "sum": "-1+1",
    "formula behind a tab": "\t=1+1",
    "formula behind a line": "x\r\n=1+1,2",
    # Terminals
    "colour": "\x1b[31mred\x1b[0m\x1b[2J\x1b[1;1H",
    "title": f"\x1b]0;{OWNED}\x07",
    "clipboard": "\x1b]52;c;b3duZWQ=\x07",
    "hyperlink": "\x1b]8;;https://example.com\x1b\\x\x1b]8;;\x1b\\",
    "answer back": "\x1b[6n\x1b[c\x1bP+q544e\x1b\\\x05",
    "C1": f"\x9b31mred\x9d0;{OWNED}\x9c",
    "overwritten": "failed\rVALID\x08\x08\x7f",
    "bidirectional": "\u202egnp.exe\u202c \u2066x\u2069 \u200b\ufeff\U000e0041",
    "separators": "a\x0bb\x0cc\x85d\u2028e\u2029f",
    "null and half a pair": "a\x00b\ud800",
    # Templates
    "template": f"{{{{ lookup('ansible.builtin.pipe', 'touch {MARK}') }}}}",
    "statement": f"{{% set x = lookup('ansible.builtin.pipe', 'touch {MARK}') %}}{{{{ x }}}}",
    "template comment": "{# x #}{{ 7 * 7 }}",
    # YAML, shells, format strings
    "tag": f"!!python/object/apply:os.system ['touch {MARK}']",
    "document": "---\n- &a [*a]\n...\n%YAML 1.1",
    "shell": f"$(touch {MARK}); `touch {MARK}`; | touch {MARK} #' \"",
    "specifier": "%h %n %(x)s %s {0} {x} ${HOME}",
    # Paths
    "climb": "../../../etc/passwd",
    "absolute": "/etc/passwd",
    "backslash": "..\\..\\x",
    "option": "-rf --help",
    "home": "~root/.ssh/authorized_keys",
    # Length
    "long": "A" * 5000,
    "nothing": "",
}  # fmt: skip

# What is the sense of a record, and not a host's word: another value would make another record of it.
_NO_WORDS = {"id", "machine", "build", "model", "cell", "state", "unit"}


def spoiled(some: list[Record], text: str) -> list[Record]:
    """Return records with `text` in the place of every string of their payloads that a host may choose."""

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: spoil(item) if name not in _NO_WORDS - {"cell"} else item for name, item in value.items()}
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return text if isinstance(value, str) else value

    every = copy.deepcopy(some)
    for record in every:
        if record["kind"] == "launch" and record["payload"]["number"] == 1 and record["payload"].get("kernel"):
            names = {text: 1, text + text: 2}
            record["payload"]["kernel"].update(repack={text: 1}, types={text: {text: 1}}, tensors=names)
        record["payload"] = spoil(record["payload"])
    return every


def named(some: list[Record], texts: list[str]) -> list[Record]:
    """Return records that can be stored and pass, in which models, builds, variants and causes have such names.

    The names go round, so that the records have many of them: for what takes too long to be made of each.
    """
    every = copy.deepcopy(some)
    seen: dict[tuple[str, str], str] = {}

    def renamed(kind: str, name: str) -> str:
        return seen.setdefault((kind, name), texts[len(seen) % len(texts)])

    for at, record in enumerate(every):
        payload = record["payload"]
        for cell in [payload.get("cell") or {}, *payload.get("cells", [])]:
            cell.update({key: renamed(key, cell[key]) for key in ("model", "build", "quantization") if key in cell})
        if record["kind"] in ("model", "build"):
            payload["name"] = renamed(record["kind"], payload["name"])
            if "quantization" in payload:
                payload["quantization"] = renamed("quantization", payload["quantization"])
        if record["kind"] == "machine":
            fields = ("cpu_model", "kernel", "os", "virtualization", "governor", "kernel_parameters")
            payload.update({key: texts[(at + place) % len(texts)] for place, key in enumerate(fields)})
        if record["kind"] in ("failure", "omitted"):
            payload.update(cause=texts[at % len(texts)], advice=texts[(at + 1) % len(texts)])
        if record["kind"] == "failure":
            payload["detail"] = {text: text for text in texts}
    return every
