"""Public checkpoints to a model pack: planned whole, written tensor by tensor, and in place only when it is all there.

Called by `lpm models convert`. Everything is written to a hidden folder beside the pack; a run that was killed is taken up there
after every finished tensor was hashed again. The folder gets its final name in one step, with all hashes in its manifest.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from engine.base.settings import BaseSettings
from engine.errors import BadInputError
from engine.interop.checkpoint_files import Checkpoint, TensorReader, find_checkpoints
from engine.interop.conversion_plan import ComponentPlan, plan_component
from engine.interop.layout import CheckpointLayout
from engine.interop.public_models import PUBLIC_MODELS, PublicModel
from engine.interop.tensor_file import TensorFileWriter
from engine.media.whole_files import cannot_write
from engine.packs import ComponentEntry, Manifest, write_pack

Progress = Callable[[int, int], None]
PLAN_NAME: Final = "conversion.json"
PERFORMING_ROLES: Final = ("base", "codec", "text_encoder", "speak_encoder", "listen_encoder")


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What is to be converted: checkpoints in whatever order, and the pack that they become."""

    sources: tuple[Path, ...]
    folder: Path
    dtype: torch.dtype = torch.bfloat16
    size_px: int = 480
    shift: float = 3.0
    num_steps: int = 40


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """What came of it: names knowingly left out, names begun anew, files that nothing in a pack is made from."""

    folder: Path
    components: tuple[ComponentEntry, ...]
    dropped: tuple[str, ...]
    added: tuple[str, ...]
    left_out: tuple[Path, ...]
    missing_roles: tuple[str, ...]
    num_resumed: int


def convert(conversion: Conversion, progress: Progress = lambda done, total: None) -> ConversionReport:
    """Makes the pack; `BadInputError` before anything is written for sources that do not fit, or a pack that is there."""
    folder = conversion.folder
    if folder.exists():
        raise BadInputError(f"{folder} is already there; name another pack, or remove it first")
    plans, left_out = plan_conversion(conversion)
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        _claim(partial, plans)
        entries, num_resumed = _write_all(plans, partial, conversion.dtype, progress)
        write_pack(partial, _manifest(conversion, entries))
        for leftover in (partial / PLAN_NAME, *partial.glob("*.journal")):
            leftover.unlink()
        _to_disk(partial)
        os.replace(partial, folder)
        _to_disk(folder.parent)
    except OSError as error:
        raise cannot_write(folder, error) from None
    roles = {entry.role for entry in entries}
    return ConversionReport(
        folder=folder,
        components=entries,
        dropped=tuple(name for plan in plans for name in plan.dropped),
        added=tuple(name for plan in plans for name in plan.added),
        left_out=left_out,
        missing_roles=tuple(role for role in PERFORMING_ROLES if role not in roles),
        num_resumed=num_resumed,
    )


def plan_conversion(conversion: Conversion) -> tuple[tuple[ComponentPlan, ...], tuple[Path, ...]]:
    """Plans for all components found in the sources, and the checkpoints that no component is made from."""
    found: dict[str, tuple[PublicModel, CheckpointLayout, Checkpoint]] = {}
    left_out: list[Path] = []
    for source in conversion.sources:
        for checkpoint in find_checkpoints(source):
            recognised = [(model, layout) for model in PUBLIC_MODELS if (layout := model.layout_of(checkpoint))]
            if not recognised:
                left_out.append(checkpoint.place)
                continue
            model, layout = recognised[0]
            if model.kind in found:
                places = f"{found[model.kind][2].place} and {checkpoint.place}"
                raise BadInputError(
                    f"there are two checkpoints of a {model.name}: {places}; name the one that is meant"
                )
            found[model.kind] = (model, layout, checkpoint)
    if not found:
        names = ", ".join(model.name for model in PUBLIC_MODELS)
        seen = ", ".join(map(str, left_out))
        raise BadInputError(f"nothing known in {seen}; a pack is made from: {names}")
    configs = _configs_together(
        {
            kind: layout.config_from(checkpoint.shapes, checkpoint.config_json)
            for kind, (_, layout, checkpoint) in found.items()
        }
    )
    plans = tuple(
        plan_component(model, layout, checkpoint, configs[kind], conversion.dtype)
        for kind, (model, layout, checkpoint) in found.items()
    )
    return plans, tuple(left_out)


def _configs_together(configs: dict[str, Any]) -> dict[str, Any]:
    """The transformer's sound branches are as wide as the rows of the sound encoder that comes along.

    `BadInputError` where the transformer was made for another VAE or for other words.
    """
    transformer = configs.get("transformer")
    for kind, ours, theirs in (("wan_vae", "in_channels", "latent_channels"), ("umt5", "text_dim", "width")):
        if transformer is not None and kind in configs:
            wanted, given = vars(transformer)[ours], vars(configs[kind])[theirs]
            if wanted != given:
                raise BadInputError(
                    f"the transformer's {ours} is {wanted}, but the {kind}'s {theirs} is {given}: they do not belong together"
                )
    if "transformer" in configs and "wav2vec2" in configs:
        width = len(configs["wav2vec2"].rows.layers) * configs["wav2vec2"].width
        configs["transformer"] = replace(configs["transformer"], speak_dim=width, listen_dim=width)
    return configs


def _claim(partial: Path, plans: Sequence[ComponentPlan]) -> None:
    """The hidden folder, new or left by an equal conversion; what another conversion left is removed."""
    fingerprint = "\n".join(plan.fingerprint() for plan in plans)
    if partial.exists():
        path = partial / PLAN_NAME
        if path.is_file() and path.read_text(encoding="utf-8") == fingerprint:
            return
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    (partial / PLAN_NAME).write_text(fingerprint, encoding="utf-8")


def _write_all(
    plans: Sequence[ComponentPlan], partial: Path, dtype: torch.dtype, progress: Progress
) -> tuple[tuple[ComponentEntry, ...], int]:
    total = sum(spec.nbytes for plan in plans for spec in plan.specs.values())
    done, num_resumed = 0, 0
    entries: list[ComponentEntry] = []
    for plan in plans:
        reader, names = TensorReader(plan.checkpoint), list(plan.specs)
        with TensorFileWriter(partial / plan.file_name, plan.specs) as writer:
            num_resumed += writer.num_resumed
            done += sum(plan.specs[name].nbytes for name in names[: writer.num_resumed])
            for name in names[writer.num_resumed :]:
                progress(done, total)
                writer.write(plan.tensor(name, reader))
                done += plan.specs[name].nbytes
            sha256 = writer.sha256()
        for name, path in plan.companions.items():
            shutil.copyfile(path, partial / name)
        entries += [
            ComponentEntry(
                role=role,
                kind=plan.model.kind,
                file=plan.file_name,
                dtype=str(dtype).removeprefix("torch."),
                sha256=sha256,
                config=asdict(plan.model.config_in_role(plan.config, role)),
            )
            for role in plan.model.roles
        ]
    progress(total, total)
    return tuple(entries), num_resumed


def _manifest(conversion: Conversion, entries: tuple[ComponentEntry, ...]) -> Manifest:
    sources = ", ".join(path.resolve().name for path in conversion.sources)
    settings = BaseSettings(num_steps=conversion.num_steps, shift=conversion.shift)
    return Manifest(
        name=conversion.folder.name,
        version="0",
        description=f"Converted from {sources}; the sound branches are untrained and say nothing yet.",
        licence="that of the converted checkpoints",
        actor_level=0,
        components=entries,
        settings={
            "picture": {"size_px": conversion.size_px, "frames_per_second": 24},
            "base": asdict(settings),
        },
    )


def _to_disk(folder: Path) -> None:
    """Folder entries are on the disk before the pack has its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
