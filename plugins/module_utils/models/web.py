# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask web servers without telling them, or anyone who reads a message, more than they are to know.

A secret goes to the server it is meant for and to no other one that a redirect leads to. Messages name an address by
its public part: what precedes and follows host and path may be a password or a signature.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import re
import ssl
import string
import time
import urllib.error
from email.message import Message
from functools import lru_cache
from typing import IO, Any, Dict, NamedTuple, Optional, Tuple
from urllib.parse import quote, unquote, urljoin, urlsplit

from ansible.module_utils.urls import Request, make_context

from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import printable, without_user

_USER_AGENT = "cloudbench.llama/" + VERSION
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = 10
_FINAL = "give the final address"
# Without one, Request reads the certificates of the host for plain http too.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# Statuses that may be others a moment later.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
# A server that asks for more patience than this is left alone until the next run.
LONGEST_WAIT = 300.0
_LONGEST_BACKOFF = 60.0


class WebError(ValueError):
    """A request that failed; the message says why and what to do.

    `retry`: whether the same request may succeed later, and not before `after` seconds where that is known.
    `status` and `headers` are those of the answer, 0 and empty where there was none.
    """

    def __init__(
        self,
        message: str,
        retry: bool = False,
        after: Optional[float] = None,
        status: int = 0,
        headers: Optional[Message] = None,
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.after = after
        self.status = status
        self.headers = headers or Message()


class Answer(NamedTuple):
    """What a server answered: status, headers (any case), and the body still to be read and closed."""

    status: int
    headers: Message
    body: IO[bytes]


def origin(url: str) -> Tuple[str, str, int]:
    """Scheme, host and port of `url`: what must be equal for a secret to be sent on. Raises WebError."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise WebError(f"the address is none: {error}; correct it") from error
    return parts.scheme, (parts.hostname or "").lower(), port


def public(url: str) -> str:
    """`url` without what may be a secret: user, password, query, fragment."""
    return re.sub(r"[?#].*", "", without_user(url), flags=re.DOTALL)


def holds_secret(url: str) -> bool:
    """Whether `url` has a part that `public` leaves out."""
    return public(url) != url


def pause(failures: int, error: WebError) -> float:
    """Seconds to wait after that many failures in a row: what the server asks for, else 1, 2, 4 ... 60."""
    if error.after is not None:
        return error.after
    return min(2.0 ** (failures - 1), _LONGEST_BACKOFF)


def request(
    url: str,
    method: str = "GET",
    headers: Optional[Dict[str, str]] = None,
    secrets: Optional[Dict[str, str]] = None,
    timeout: float = 60.0,
    stay: bool = False,
    name: Optional[str] = None,
) -> Answer:
    """The answer of a server, with redirects followed; proxies are taken from the environment.

    `headers` go to every server, `secrets` (headers too) to the one of `url` only. `stay`: return a redirect that
    leads to another server, or that says what is behind it as a hub does (X-Linked-Etag), instead of following it.
    `timeout`: seconds without an answer. `name`: what messages call the address. Raises WebError.
    """
    name = name or public(url)
    scheme, host, _port = origin(url)
    if scheme not in _PORTS or not host or re.search(r"[\x00-\x20\x7f]", url):
        raise WebError(f"{name} is no address of a web server; it must begin with http:// or https:// and a host")
    url, basic = without_login(url)
    secrets = dict(basic, **(secrets or {}))
    for key, value in secrets.items():
        # http.client would put the value into its message.
        if not re.fullmatch(r"[\x20-\x7e\xa0-\xff]*", value) or not re.fullmatch(r"[!-9;-~]+", key):
            raise WebError(f"the header {key!r} has a name or a value that cannot be sent; correct it")
    sent = dict({"Accept-Encoding": "identity"}, **(headers or {}))
    home, place = origin(url), url
    for _hop in range(_REDIRECTS + 1):
        here = origin(place)
        try:
            answer = _open(method, place, dict(sent, **(secrets if here == home else {})), timeout)
        except urllib.error.HTTPError as error:
            if error.code >= 400:
                error.close()
                raise failed(name, error.code, error.headers) from error
            place = _next(name, place, error.headers)
            if stay and (error.headers.get("X-Linked-Etag") or origin(place) != here):
                return Answer(error.code, error.headers, error)
            error.close()
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(here[1], error) from error
        else:
            return Answer(answer.getcode() or 200, answer.headers, answer)
    raise WebError(f"{name} redirects in a circle; {_FINAL}")


def _open(method: str, url: str, headers: Dict[str, str], timeout: float) -> Any:
    """Ask one server once, by ansible.module_utils.urls: proxies of the environment, certificates of the host.

    It may follow no redirect, since it would take every header along; nor may it add what ~/.netrc says of a server.
    """
    context = _context() if origin(url)[0] == "https" else _NO_TLS
    return Request(http_agent=_USER_AGENT, follow_redirects="none", use_netrc=False, decompress=False).open(
        method, url, headers=headers, timeout=timeout, context=context
    )


@lru_cache(maxsize=None)
def _context() -> ssl.SSLContext:
    """What trusts a server; it reads every certificate of the host, so it is made once."""
    context: ssl.SSLContext = make_context()
    return context


def _next(name: str, url: str, headers: Message) -> str:
    """The address that a redirect of `url` leads to. Raises WebError when it may not be followed."""
    location = headers.get("Location") or headers.get("URI")
    if not location:
        raise WebError(f"{name} redirects to nowhere; {_FINAL}")
    place = urljoin(url, quote(location, safe=string.punctuation, encoding="iso-8859-1"))
    here, there = origin(url)[0], origin(place)[0]
    if there not in _PORTS:
        raise WebError(f"{name} redirects to an address of the kind {there}:, which is not followed; {_FINAL}")
    if (here, there) == ("https", "http"):
        raise WebError(f"{name} redirects from https to http, which is not followed; {_FINAL}")
    return place


def without_login(url: str) -> Tuple[str, Dict[str, str]]:
    """`url` without user and password, and the header that carries them instead."""
    match = re.match(r"(https?://)([^/?#]*)@(.*)", url, re.DOTALL)
    if not match:
        return url, {}
    credentials = base64.b64encode(unquote(match.group(2)).encode("utf-8")).decode("ascii")
    return match.group(1) + match.group(3), {"Authorization": "Basic " + credentials}


def unreachable(host: str, error: Exception) -> WebError:
    """The WebError of a connection to `host` that failed."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return WebError(
            f"{host} cannot be trusted: {reason.verify_message}; correct the clock of the host, or install the "
            "certificate of the authority there"
        )
    if isinstance(error, http.client.InvalidURL):
        return WebError(f"the address on {host} cannot be asked for: {printable(error, 300)}; correct it")
    text = printable(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__, 300)
    return WebError(
        f"{host} cannot be reached: {text}; check its name, and the network and the proxy variables of the host",
        retry=True,
    )


def failed(name: str, status: int, headers: Message) -> WebError:
    """The WebError of an answer with an error status."""
    after = _retry_after(headers) if status in _PASSING else None
    if status == 429:
        text = f"{name}: the server has had too many requests (429); try again later"
    elif status in (401, 403):
        text = (
            f"{name}: the server refuses it ({status}); give credentials that may read it, in a header or in a signed "
            "address that has not expired"
        )
    elif status in (404, 410):
        text = f"{name}: there is no such file ({status}); correct the address"
    elif status >= 500:
        text = f"{name}: the server fails ({status}); try again later"
    else:
        text = f"{name}: the server answers {status}; check the address"
    retry = status in _PASSING
    if after is not None and after > LONGEST_WAIT:
        retry, text = False, f"{name}: the server asks to wait {after:.0f} s ({status}); run again after that"
    return WebError(text, retry=retry, after=after, status=status, headers=headers)


def _retry_after(headers: Message) -> Optional[float]:
    """Seconds the server asks to wait: Retry-After (RFC 9110), or RateLimit as the hub sends it ("api";r=0;t=55)."""
    value = headers.get("Retry-After")
    if value:
        if re.fullmatch(r"\s*\d+\s*", value):
            return float(value)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except (TypeError, ValueError, IndexError, OverflowError):
            pass
    match = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("RateLimit") or "")
    return float(match.group(1)) if match else None
