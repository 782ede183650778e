"""Refusals of the gateway as problem details (RFC 9457): one exception, one body, no free text of a client in either."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

PROBLEM_JSON: Final = "application/problem+json"
_encode: Final = msgspec.json.Encoder().encode


class Problem(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request that is not done; `detail` says to a person what to do next.

    Parameters
    ----------
    kind
        A bounded word for metrics and for the last part of `type`, such as `queue-full`.
    retry_after_s
        When it makes sense to try again; becomes the header Retry-After in whole seconds, at least 1.
    extra
        Extension members of the body.
    """

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        retry_after_s: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.extra = dict(extra or {})

    def headers(self) -> dict[str, str]:
        """Return Retry-After and WWW-Authenticate where they belong."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        if self.status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="thecaflow"'
        return headers

    def body(self) -> bytes:
        """Return the problem details as JSON."""
        return _encode(
            {
                "type": f"urn:thecaflow:problem:{self.kind}",
                "title": self.status.phrase,
                "status": self.status.value,
                "detail": self.detail,
                **self.extra,
            }
        )


def unavailable(kind: str, detail: str, retry_after_s: float) -> Problem:
    """Put off a request with which nothing is wrong, but which cannot be done now: 503."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, kind, detail, retry_after_s=retry_after_s)


def too_large(detail: str) -> Problem:
    """Refuse a body that is past a limit, decompressed or not: 413."""
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
