"""Model packs and characters: are they here, and whole? Called by `studio/doctor/examination.py`."""

from collections.abc import Iterator
from pathlib import Path

from engine.characters import list_characters
from engine.errors import LpmError
from engine.locations import data_dir
from engine.packs import file_sha256, read_manifest
from studio.commandline.models import pack_folders
from studio.doctor.findings import Finding, Status, found


def examine() -> Iterator[Finding]:
    """Each pack, then the characters."""
    has_whole_pack = False
    for folder in pack_folders():
        finding = _examine_pack(folder)
        has_whole_pack |= finding.status is Status.OK
        yield finding
    if not has_whole_pack:
        mend = f"fetch a pack into {data_dir() / 'models'}, or make one with lpm train"
        yield Finding(
            name="Model pack", status=Status.MISSING, detail="none that is whole is here", mend=mend, is_essential=True
        )
    cards = list_characters()
    if cards:
        yield found("Characters", ", ".join(card.name for card in cards))
    else:
        mend = "lpm character new --seed 1 -o my-character"
        yield Finding(name="Characters", status=Status.WARN, detail="none is here", mend=mend)


def _examine_pack(folder: Path) -> Finding:
    mend = "fetch the pack again"
    try:
        manifest = read_manifest(folder)
        bad = [part.file for part in manifest.components if file_sha256(folder / part.file) != part.sha256]
    except (LpmError, OSError) as error:
        return Finding(name="Model pack", status=Status.WARN, detail=str(error), mend=mend)
    title = f"{manifest.name} {manifest.version}"
    if bad:
        return Finding(name="Model pack", status=Status.WARN, detail=f"{title}: damaged: {', '.join(bad)}", mend=mend)
    return found("Model pack", f"{title}: whole", is_essential=True)
