"""The command ``search report``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from search.cli.base import Command, examples
from search.cli.console import hint
from search.cli.options import STORAGE_VARIABLE, STUDY, storage_option
from search.storage.attributes import DEFAULT_STORAGE
from spaces.errors import ExportError

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    cls=Command,
    epilog=examples(
        "search report fruit -o report.html",
        "search report fruit -o report.html --with-models",
        "search report fruit --image front.svg",
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@click.option("-o", "--output", type=FILE, help="Page to write: one file that needs nothing else.")
@click.option("--with-models", is_flag=True, help="Put the .tflite files of the front into it.")
@click.option("--image", type=FILE, help="Picture of the front to write: .svg or .png.")
@click.option("--force", is_flag=True, help="Overwrite the files.")
@storage_option
def report(
    study: str,
    output: Path | None,
    with_models: bool,
    image: Path | None,
    force: bool,
    storage: str,
) -> None:
    """Write a study as a page to choose from, or as a picture.

    The page shows the front, what the search learned and why trials gave no
    model. It opens from disk, in any browser, without a network.
    """
    if output is None and image is None:
        raise click.UsageError("Say what to write: -o report.html, --image front.svg, or both.")
    if with_models and output is None:
        raise click.UsageError("--with-models puts files into the page, so it needs -o.")
    for path in (output, image):
        if path is not None and path.exists() and not force:
            raise ExportError(f"{path} is there already. Give another name, or --force.")
    from search.front.read import find_study, reading
    from search.report.image import check_format, front_image
    from search.report.model_files import read_model_files
    from search.report.page import gather, report_page
    from search.storage.urls import masked

    if image is not None:
        check_format(image.suffix)
    with reading(storage) as opened:
        record = find_study(opened, study)
    found = gather(record)
    if image is not None:
        _write(image, front_image(found, image.suffix))
        hint(f"{image}: the front of {study}, {len(found.front.points):,} points")
    if output is None:
        return
    files = None
    if with_models:
        files = read_model_files(record, storage, [p.trial for p in found.front.points])
    is_understood = storage in (DEFAULT_STORAGE, os.environ.get(STORAGE_VARIABLE))
    named = None if is_understood else masked(storage) if "://" in storage else storage
    page = report_page(found, None if files is None else files.by_trial, named).encode()
    _write(output, page)
    hint(f"{output}: {len(found.front.points):,} points on the front, {len(page) / 1e6:.1f} MB")
    if files is not None:
        for trials, why in ((files.missing, "not kept"), (files.too_large, "too large")):
            if trials:
                hint(f"Without the files of trials {', '.join(map(str, trials))}: {why}.")
    if not found.front.points:
        hint("There is no point on the front yet; the page says why.")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}.") from error
