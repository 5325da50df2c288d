"""Model packs and characters: are they here, and whole? Called by `studio/doctor/examination.py`."""

from collections.abc import Iterator

from engine.characters import list_characters
from engine.errors import LpmError
from engine.locations import data_dir
from engine.packs import file_sha256, read_manifest
from studio.commandline.models import pack_folders
from studio.doctor.findings import Finding, Status, found


def examine() -> Iterator[Finding]:
    """Each pack, then the characters."""
    folders = list(pack_folders())
    if not folders:
        mend = f"fetch a pack into {data_dir() / 'models'}, or make one with lpm train"
        yield Finding(name="Model pack", status=Status.MISSING, detail="none is here", mend=mend, is_essential=True)
    for folder in folders:
        try:
            manifest = read_manifest(folder)
            bad = [part.file for part in manifest.components if file_sha256(folder / part.file) != part.sha256]
        except (LpmError, OSError) as error:
            bad, detail = [folder.name], str(error)
        else:
            detail = f"{manifest.name} {manifest.version}: " + (f"damaged: {', '.join(bad)}" if bad else "whole")
        if bad:
            yield Finding(name="Model pack", status=Status.WARN, detail=detail, mend="fetch the pack again")
        else:
            yield found("Model pack", detail, is_essential=True)
    cards = list_characters()
    if cards:
        yield found("Characters", ", ".join(card.name for card in cards))
    else:
        mend = "lpm character new --seed 1 -o my-character"
        yield Finding(name="Characters", status=Status.WARN, detail="none is here", mend=mend)
