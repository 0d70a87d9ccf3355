"""`uvreport show`: what a bundle holds, without unpacking it anywhere."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from uvreport.errors import UsageError

if TYPE_CHECKING:
    from uvreport.bundle import Bundle, Member, Redaction


@click.command()
@click.argument("bundle", type=click.Path(readable=False))
@click.option("--issue", is_flag=True, help="Print the issue text.")
@click.option("--member", metavar="PATH", help="Print one member, as it is.")
@click.option(
    "--redactions",
    is_flag=True,
    help="List what was removed: rule, member, place, placeholder; never the value.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(bundle: str, issue: bool, member: str | None, redactions: bool, as_json: bool) -> None:
    """Summary, members, decoded cache entries and gaps of BUNDLE. Nothing of it is run or written to disk."""
    from uvreport.pack import open_bundle

    opened = open_bundle(bundle)
    if member is not None:
        _print_member(opened, member)
    elif issue:
        from uvreport.render import issue as text_of

        click.echo(printable(text_of(opened)))
    elif redactions:
        _print_redactions(opened, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(as_object(opened), indent=2, ensure_ascii=False))
    else:
        _print_summary(opened)


def printable(text: str) -> str:
    """`text` without control characters: a stranger's bundle does not get to drive this terminal."""
    return "".join(c if c in "\n\t" or (c.isprintable()) else "\N{REPLACEMENT CHARACTER}" for c in text)


def as_object(bundle: Bundle) -> dict[str, Any]:
    """The bundle's manifest as one JSON-able object, members by path and size, entries decoded."""
    from msgspec import to_builtins

    shown = to_builtins(bundle)
    assert isinstance(shown, dict)
    for member, row in zip(bundle.members, shown["members"], strict=True):
        row.pop("data", None)
        row["size_bytes"] = len(member.data)
    shown["run"].pop("stdout", None)
    shown["run"].pop("stderr", None)
    shown["entries"] = _facts(bundle, "facts/cache-entries.json")
    return shown


def _facts(bundle: Bundle, path: str) -> Any:
    for member in bundle.members:
        if member.path == path:
            return json.loads(member.data)
    return None


def _print_member(bundle: Bundle, path: str) -> None:
    found: Member | None = next((m for m in bundle.members if m.path == path), None)
    if found is None:
        raise UsageError(
            f"There is no member {path} in this bundle.", hint="`uvreport show BUNDLE` lists them."
        )
    if found.kind != "file":
        click.echo(f"{found.kind} {found.target}".rstrip())
    elif sys.stdout.isatty():
        click.echo(printable(found.data.decode("utf-8", "replace")), nl=not found.data.endswith(b"\n"))
    else:
        sys.stdout.buffer.write(found.data)


def _print_redactions(bundle: Bundle, *, as_json: bool) -> None:
    if as_json:
        from msgspec import to_builtins

        rows = [
            {**row, "line": _line(bundle, one)}
            for row, one in zip(to_builtins(bundle.redactions), bundle.redactions, strict=True)
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for r in bundle.redactions:
        line = _line(bundle, r)
        if r.offset < 0:
            # What stands behind the `#` says which part, where it is not the name (docs/redaction.md).
            member, _, part = r.member.rpartition("#")
            place = f"{member}  {part}" if member else f"{r.member}  name"
        else:
            place = f"{r.member}  " + (f"line {line}, byte {r.offset}" if line else f"byte {r.offset}")
        click.echo(printable(f"{r.rule:24} {place}  -> {r.placeholder}"))
    click.echo(f"{len(bundle.redactions)} replacements.")


def _line(bundle: Bundle, one: Redaction) -> int | None:
    """The line that a replacement is on, from 1; None for a name and for what is no text as it lies there."""
    outputs = {"run/stdout.txt": bundle.run.stdout, "run/stderr.txt": bundle.run.stderr}
    if one.offset < 0:
        return None
    if one.member in outputs:
        data = outputs[one.member].encode("utf-8", "surrogateescape")
    else:
        data = next((m.data for m in bundle.members if m.path == one.member), b"")
    if not data or b"\0" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    return data.count(b"\n", 0, one.offset) + 1


def _print_summary(bundle: Bundle) -> None:
    from uvreport.render import summary

    for line in summary(bundle):
        click.echo(printable(line))
    entries = _facts(bundle, "facts/cache-entries.json")
    culprits = {culprit.path for culprit in bundle.culprits}
    for culprit in bundle.culprits:
        click.echo(f"\n{printable(culprit.path)} ({culprit.size_bytes} bytes), decoded:")
        click.echo(printable(json.dumps(culprit.decoded, indent=2, ensure_ascii=False)))
    click.echo(f"\nMembers ({len(bundle.members)}):")
    for m in bundle.members:
        mark = "!" if m.path.removeprefix("cache/") in culprits else " "
        what = f"-> {m.target}" if m.kind == "link" else ("/" if m.kind == "dir" else f"{len(m.data)} bytes")
        click.echo(printable(f" {mark} {m.mode:04o}  {m.path}  {what}"))
    if isinstance(entries, list) and entries:
        click.echo(
            f"\n{len(entries)} cache entries are decoded in facts/cache-entries.json (--member shows it)."
        )
    click.echo(f"\nGaps ({len(bundle.gaps)}):")
    for gap in bundle.gaps:
        click.echo(printable(f"   {gap.what}: {gap.why}"))
