"""Logging in with a token, or by a one-time link, and out."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template

from dashboards.console.pages.show import AnyRequest, page
from dashboards.console.parts import Console
from ingest.problems import Problem


class LoginForm(msgspec.Struct):
    """A token, or a link's code, and where to go then."""

    token: str = ""
    code: str = ""
    next: str = "/"


def local(path: str) -> str:
    """Return a path of this console; the first page for anything else, so that no link leads elsewhere by a login."""
    plain = path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def handlers(console: Console) -> list[Any]:
    """Return the routes of login and logout; none of them needs a viewer."""

    @get("/login", include_in_schema=False)
    async def form(request: AnyRequest) -> Template:
        query = request.query_params
        return page(console, None, "login.html", _context(next_path=query.get("next", "/")))

    @get("/login/{code:str}", include_in_schema=False)
    async def link(code: FromPath[str]) -> Template:
        """Ask for one press: a mail program that looks into links must not use up the only one."""
        return page(console, None, "login.html", _context(code=code))

    @post("/login", include_in_schema=False, status_code=303)
    async def log_in(request: AnyRequest, data: URLEncodedBody[LoginForm]) -> Response[Any] | Template:
        try:
            if data.code:
                await console.sessions.log_in_once(request, data.code)
            else:
                await console.sessions.log_in(request, data.token.strip())
        except Problem as refused:
            context = _context(problem=refused.detail, next_path=data.next)
            return page(console, None, "login.html", context, refused.status)
        return Redirect(local(data.next), status_code=303)

    @post("/logout", include_in_schema=False, status_code=303)
    async def log_out(request: AnyRequest) -> Redirect:
        console.sessions.log_out(request)
        return Redirect("/login", status_code=303)

    return [form, link, log_in, log_out]


def _context(*, problem: str = "", code: str = "", next_path: str = "/") -> dict[str, Any]:
    return {"problem": problem, "code": code, "next_path": local(next_path)}
