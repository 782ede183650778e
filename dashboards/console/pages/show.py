"""What every page shares: its frame, the snapshot, questions that may stay unanswered, and who sees what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from jinja2 import StrictUndefined
from litestar import Request
from litestar.response import Template

from contract.errors import UnreachableError
from dashboards.causes import CAUSES
from dashboards.console.pages import event_words, evidence, words
from dashboards.console.parts import Console
from dashboards.console.session import Viewer

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]

PRIORITIES: Final = ("high", "medium", "low", "info")


def prepare(console: Console) -> None:
    """Give the templates their words; a name that a page forgot is an error, never an empty place."""
    jinja = console.templates.engine_instance.engine
    jinja.undefined = StrictUndefined
    jinja.trim_blocks = jinja.lstrip_blocks = True
    jinja.globals |= {
        "words": words,
        "causes": {cause.value: text for cause, text in CAUSES.items()},
        "event_sentence": event_words.sentence,
        "event_types": event_words.TYPE_WORDS,
        "split_unit": evidence.split_unit,
        "priorities": PRIORITIES,
    }


def page(
    console: Console, viewer: Viewer | None, template: str, context: Mapping[str, Any], status: int = 200
) -> Template:
    """Return a page or a part of one."""
    context = _frame(console) | {"viewer": viewer} | dict(context)
    return Template(template_name=template, context=context, status_code=status)


def render(console: Console, template: str, context: Mapping[str, Any]) -> str:
    """Return a part of a page that is the same for everybody with this context."""
    found = console.templates.engine_instance.get_template(template)
    return str(found.render(**(_frame(console) | dict(context))))


def _frame(console: Console) -> dict[str, Any]:
    snapshot = console.snapshots.current
    return {
        "now_us": console.now_us(),
        "snapshot_us": None if snapshot is None else snapshot.at_us,
        "database_up": console.snapshots.database_up,
        "version": 0 if snapshot is None else snapshot.version,
        "is_part": False,
    }


def wants_part(request: AnyRequest) -> bool:
    """Whether htmx asks, which takes a part of the page."""
    return request.headers.get("hx-request") == "true"


async def ask_or(console: Console, question: Callable[[Any], Awaitable[T]], otherwise: T) -> tuple[T, bool]:
    """Return what the database says and True; `otherwise` and False while it is away."""
    try:
        return await console.database.ask(question), True
    except UnreachableError:
        return otherwise, False


def whole(text: str | None, otherwise: int, most: int) -> int:
    """Return a number from a query, at least 1 and at most `most`; `otherwise` for what is none."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9:
        return otherwise
    return min(max(int(text), 1), most)
