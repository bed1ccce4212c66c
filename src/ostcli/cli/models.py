"""`ost models`: the store of models and adaptations."""

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostcli.cli import options
from ostcli.cli.render import counted, duration, output_of, size
from ostcli.errors import DamagedError, StoreError, UsageError

if TYPE_CHECKING:
    from ostcli.store.library import Library
    from ostcli.store.manifest import Manifest

app = typer.Typer(help="List, show, move and check models and adaptations.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, json: options.Json = False) -> None:
    """List, show, move and check models and adaptations; alone, list them."""
    output = output_of(context, as_json=json)
    output.command = f"models {context.invoked_subcommand or 'ls'}"
    if context.invoked_subcommand is None:
        ls(context, json=json)


@app.command()
def ls(context: typer.Context, json: options.Json = False) -> None:
    """List models and adaptations."""
    output, library = output_of(context, as_json=json), _library()
    found = [_summary(library, library.manifest(name)) for name in library.names()]
    unreadable = library.unreadable()
    damaged = _damaged(unreadable)
    reasons = {name: error.message for name, error in unreadable.items()}
    output.result({"models": found, "damaged": damaged, "unreadable": reasons})
    rows = [_row(each) for each in found]
    rows += [
        [name, "damaged" if name in damaged else "unreadable", *[""] * 5] for name in unreadable
    ]
    if rows:
        output.table(
            ["name", "kind", "model", "steps", "size", "saved", "finished"], rows, folding=(0, 2)
        )
    else:
        output.say("there is no model yet; → ost pretrain FOLDER makes one")
    for error in unreadable.values():
        output.warn("; ".join(filter(None, [error.message, error.hint])))


@app.command()
def show(context: typer.Context, name: options.Name, json: options.Json = False) -> None:
    """Show all about a model or an adaptation."""
    output, library = output_of(context, as_json=json), _library()
    manifest = library.manifest(name)
    values = {**_summary(library, manifest), **_details(library, manifest)}
    output.result({**values, "config": manifest.config, "facts": manifest.facts})
    shown = {key: value for key, value in values.items() if value not in (None, {})}
    rows = [[key, _text(key, value)] for key, value in shown.items()]
    output.table(["", ""], rows, folding=(1,))


@app.command()
def rm(
    context: typer.Context,
    names: options.Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> None:
    """Remove models and adaptations for good."""
    output, library = output_of(context, as_json=json), _library()
    names = list(dict.fromkeys(library.existing_folder(name).name for name in names))
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to be asked", hint="give --yes to remove them")
        if not typer.confirm(f"Remove {', '.join(names)} for good?", err=True):
            names = []
    removed: list[str] = []
    output.result({"removed": removed})
    for name in names:
        library.remove(name)
        removed.append(name)
        output.line(name)
    output.say(f"{counted(len(removed), 'entry', 'entries')} removed")


@app.command()
def path(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A model or an adaptation.",
            show_default="the whole store",
            autocompletion=options.complete_names,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Print the folder of a model, or of the whole store."""
    output, library = output_of(context, as_json=json), _library()
    folder = library.root if name is None else library.folder(library.manifest(name).name)
    output.result({"path": folder})
    output.line(folder)


@app.command()
def rename(
    context: typer.Context,
    old: options.Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="What to call it from now on.")],
    json: options.Json = False,
) -> None:
    """Give a model or an adaptation another name."""
    output = output_of(context, as_json=json)
    manifest = _library().rename(old, new)
    output.result({"name": manifest.name})
    output.line(manifest.name)


@app.command()
def export(
    context: typer.Context,
    name: options.Name,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="What to write.", show_default="NAME.safetensors, here"
        ),
    ] = None,
    without_pictures: Annotated[
        bool,
        typer.Option(
            "--without-pictures",
            help="Leave the pieces of pictures out; it translates, but adapts only with --data.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    json: options.Json = False,
) -> None:
    """Write a model as one file, for another computer. It CONTAINS PIECES OF YOUR PICTURES."""
    from ostcli.store.exchange import contains_pictures, export_file

    output = output_of(context, as_json=json)
    written = export_file(
        _library(),
        name,
        file or Path(f"{name}.safetensors"),
        with_pictures=not without_pictures,
        overwrite=overwrite,
    )
    with_pictures = contains_pictures(written)
    output.result({"path": written, "contains_pictures": with_pictures})
    output.line(written)
    if with_pictures:
        output.warn(
            "the file contains pieces of the pictures it was made from: think before you pass it "
            "on; --without-pictures leaves them out"
        )


@app.command(name="import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What ost models export wrote.")],
    name: Annotated[
        str | None, typer.Option(help="What to call it.", show_default="its own name")
    ] = None,
    json: options.Json = False,
) -> None:
    """Bring in a model that was exported elsewhere. No file can run code here."""
    from ostcli.store.exchange import import_file

    output = output_of(context, as_json=json)
    manifest = import_file(_library(), file, name)
    output.result({"name": manifest.name, "kind": manifest.kind})
    output.line(manifest.name)


@app.command()
def verify(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Models and adaptations.",
            show_default="all",
            autocompletion=options.complete_names,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare every file with what was written."""
    output, library = output_of(context, as_json=json), _library()
    unreadable = library.unreadable()
    damaged = _damaged(unreadable)
    chosen = names or sorted({*library.names(), *unreadable})
    problems = {name: library.verify(name) for name in chosen}
    output.result({"problems": problems})
    for name, found in problems.items():
        output.line(f"{name}: {'; '.join(found) or 'whole'}")
    wrong = [name for name, found in problems.items() if found]
    foreign = [unreadable[name] for name in wrong if name in unreadable and name not in damaged]
    of_all = f"of {counted(len(problems), 'entry', 'entries')}"
    if len(wrong) > len(foreign):
        raise DamagedError(
            f"{len(wrong) - len(foreign)} {of_all} damaged",
            hint="ost models rm removes one; or train it again with --name and --fresh, or import "
            "it again",
        )
    if foreign:
        raise StoreError(f"{len(foreign)} {of_all} cannot be read", hint=foreign[0].hint)


@app.command()
def prune(context: typer.Context, json: options.Json = False) -> None:
    """Remove what interrupted processes left behind; no model is touched."""
    output = output_of(context, as_json=json)
    removed = _library().prune()
    output.result({"removed": removed})
    for each in removed:
        output.line(each)
    output.say(f"{counted(len(removed), 'file')} removed")


def _library() -> "Library":
    from ostcli.store.library import Library, store_root

    return Library(store_root())


def _damaged(unreadable: Mapping[str, StoreError]) -> list[str]:
    return [name for name, error in unreadable.items() if isinstance(error, DamagedError)]


def _summary(library: "Library", manifest: "Manifest") -> dict[str, Any]:
    parent = manifest.parent
    return {
        "name": manifest.name,
        "kind": manifest.kind,
        "model": parent and (library.find_parent(manifest) or parent.name),
        "steps": manifest.current.step,
        "size": library.size(manifest.name),
        "updated": manifest.updated,
        "finished": bool(manifest.facts.get("finished")),
    }


def _details(library: "Library", manifest: "Manifest") -> dict[str, Any]:
    from ostcli.store.reading import PREVIEW

    of_pictures = ("folder", "num_pictures", "example", "finish", "texture_gap", "stroke_filter")
    preview = library.extra_path(manifest.name, PREVIEW)
    return {
        "path": library.folder(manifest.name),
        "created": manifest.created,
        "trained": manifest.facts.get("seconds"),
        **{key: manifest.facts.get(key) for key in (*of_pictures, "device", "precision")},
        "seed": manifest.config.get("seed"),
        "losses": manifest.facts.get("losses"),
        "preview": preview if preview.exists() else None,
        "versions": manifest.versions,
    }


def _row(summary: Mapping[str, Any]) -> list[str]:
    return [_text(key, value) for key, value in summary.items()]


def _text(key: str, value: object) -> str:
    match key, value:
        case _, None:
            return ""
        case "size", int():
            return size(value)
        case "trained", float():
            return duration(value)
        case (("created" | "updated"), str()):
            return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M}"
        case _, bool():
            return "yes" if value else "no"
        case _, Mapping():
            return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)
