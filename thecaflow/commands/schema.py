"""`thecaflow schema`: the JSON Schema of what goes in and what comes out."""

from __future__ import annotations

import click

from contract.schema import SCHEMA_KINDS, SchemaKind, schema_path, schema_text


@click.command("schema")
@click.argument("kind", type=click.Choice(SCHEMA_KINDS), default="events")
@click.option("--write", is_flag=True, help="Regenerate the committed files of both schemas instead.")
def command(kind: SchemaKind, *, write: bool) -> None:
    """Print the JSON Schema of EVENTS (default) or FACTS."""
    if not write:
        click.echo(schema_text(kind), nl=False)
        return
    for each in SCHEMA_KINDS:
        path = schema_path(each)
        path.parent.mkdir(exist_ok=True)
        path.write_text(schema_text(each), encoding="utf-8")
        click.echo(f"wrote {path}", err=True)
