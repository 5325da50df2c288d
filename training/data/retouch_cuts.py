"""What retouching is learned from: cuts of two latents, as decoded, with the anchor moved into their poses, beside the truth.

The truth is brought to where the moved anchor has it, as far as that is a matter of a few pixels (`training.data.shifted_truth`).

Most are cut from films that a pack drew when it was told what the actor did (`training.data.drawn_films`), with all that a model makes of
films that follow themselves. Those know only what actors do; the others are of random states, encoded from the truth, and since a model
that is not sure draws something between (what is meant and the anchor in pose, or what was before and what comes next), some of them are
pulled either way. Decoding takes longer than learning, so cuts are made once and kept. Called by the recipe.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.loaded_pack import LoadedPack
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from engine.precision import fast_autocast
from training.actor.draw import draw_film
from training.actor.state import channel
from training.data.clips import clip_identity
from training.data.drawn_films import drawn_film
from training.data.motion_rows import motion_rows, rest_row
from training.data.posed_films import PosedFilmSamples, focus_of
from training.data.shifted_truth import shifted_truth

SUFFIX: Final = ".cuts"
NUM_LATENTS: Final = 2
DRAWN_FRAMES: Final = 168  # of a film that the pack draws: what a film makes of itself takes seconds to show
DRAWN_CUTS: Final = 9  # of each of them
POSED_CUTS: Final = 4  # beside them
# How much likelier a cut is where lids close, lips are pressed, or a mouth opens by half: most frames of most films are a face at rest.
STILL, BLINKING, PRESSED, OPENING = 0.05, 0.8, 0.7, 1.0
HELD_OUT_EACH: Final = 16  # of so many files one is never learned from
UNSURE_SHARE: Final = 0.4  # of the random states, either way, by up to so much of it:
MOST_TO_ANCHOR: Final = 0.5
MOST_TO_MEAN: Final = 0.9


@dataclass(frozen=True, kw_only=True)
class CutMaker:
    """Makes cuts [T frames, F latents]: `decoded_TCHW` float16, `moved_TCHW` and `truth_TCHW` uint8, `focus_THW`, where mouth and eyes are,
    `from_rest_FM`, what is told of them, and `is_drawn`, whether by the pack."""

    codec: FoldedVae
    flow: PoseFlow
    size_px: int
    film_px: int
    paint: Paint | None = None
    matte: Matte | None = None

    @classmethod
    def of(cls, pack: LoadedPack) -> "CutMaker":
        """For a pack's own codec and what it poses by."""
        assert isinstance(pack.codec, FoldedVae) and pack.posing is not None, "what retouches is the small pack's"
        return cls(
            codec=pack.codec,
            flow=pack.posing,
            size_px=pack.size_px,
            film_px=pack.film_px,
            paint=pack.paint,
            matte=pack.matte,
        )

    def of_drawn(self, film: dict[str, Tensor], start: int) -> dict[str, Tensor]:
        """The cut of a drawn film that begins with latent `start`."""
        stop, fold = start + NUM_LATENTS, self.codec.frames_per_latent
        state_TK = film["state_TK"][fold * start : fold * stop]
        identity, anchor = clip_identity(int(film["number"])), int(film["anchor_of_latent_F"][start])
        return self._cut(
            latents_FCHW=film["latents_FCHW"][start - 1 : stop].float(),
            anchor=as_anchor(film["anchors_AHWC"][anchor], film["anchor_rows_AM"][anchor]),
            state_TK=state_TK,
            truth_THWC=torch.from_numpy(draw_film(identity, state_TK.numpy(), self.size_px)),
            focus_THW=focus_of(identity, state_TK.numpy(), self.size_px),
            is_drawn=True,
        )

    def of_posed(self, sample: dict[str, Tensor], unsure: "Unsure") -> dict[str, Tensor]:
        """The cut of a random film, encoded from the truth and pulled as somebody draws who is so unsure."""
        anchor, rows_BFM = (
            as_anchor(sample["anchor_HWC"], sample["anchor_row_M"]),
            motion_rows(sample["state_TK"])[None],
        )
        with torch.no_grad(), fast_autocast(rows_BFM.device):
            truth_BTCHW = as_floats(rearrange(sample["pixels_THWC"], "t h w c -> 1 t c h w"))
            true_BFCHW = self.codec.encode(truth_BTCHW).float()
            posed_BFCHW = self._poser().latents(anchor, rows_BFM)
        drawn_FCHW = unsure.drawing_of(true_BFCHW[0], posed_BFCHW[0])
        return self._cut(
            latents_FCHW=torch.cat([drawn_FCHW[:1], drawn_FCHW]),
            anchor=anchor,
            state_TK=sample["state_TK"],
            truth_THWC=sample["pixels_THWC"],
            focus_THW=sample["focus_THW"],
            is_drawn=False,
        )

    def _poser(self) -> Poser:
        return Poser(self.flow, self.codec, rest_row(), self.paint, self.film_px // self.size_px, self.matte)

    @torch.no_grad()
    def _cut(
        self,
        latents_FCHW: Tensor,
        anchor: AnchorPicture,
        state_TK: Tensor,
        truth_THWC: Tensor,
        focus_THW: Tensor,
        is_drawn: bool,
    ) -> dict[str, Tensor]:
        """Of the first of the latents nothing is shown; it stands before the others."""
        rows_BFM, poser = motion_rows(state_TK)[None], self._poser()
        with fast_autocast(latents_FCHW.device):
            moved_BTCHW = poser.moved(anchor, rows_BFM).shrunk(poser.finer).pixels_BTCHW
            decoded_BTCHW = self._decoded(latents_FCHW[None])
        moved_TCHW = as_bytes(moved_BTCHW[0])
        moved_THWC = rearrange(moved_TCHW, "t c h w -> t h w c").contiguous()
        shifted_THWC = np.stack(
            [shifted_truth(*frames) for frames in zip(truth_THWC.numpy(), moved_THWC.numpy(), strict=True)]
        )
        return {
            "decoded_TCHW": decoded_BTCHW[0].half().contiguous(),
            "moved_TCHW": moved_TCHW,
            "truth_TCHW": rearrange(torch.from_numpy(shifted_THWC), "t h w c -> t c h w").contiguous(),
            "focus_THW": focus_THW,
            "from_rest_FM": poser.from_rest(rows_BFM)[0],
            "is_drawn": torch.tensor(is_drawn),
        }

    def _decoded(self, latents_BFCHW: Tensor) -> Tensor:
        """Pictures of all latents but the first, as they are before borders are smoothed."""
        decoded: list[Tensor] = []

        def keep(pixels_BTCHW: Tensor) -> Tensor:
            decoded.append(pixels_BTCHW)
            return pixels_BTCHW

        self.codec.decode_chunk(latents_BFCHW[:, 1:], self.codec.state_behind(latents_BFCHW[:, 0]), keep)
        return decoded[0]


@dataclass(frozen=True, kw_only=True)
class Unsure:
    """How far a film's latents lie towards those of the anchor in pose, and towards their own mean over time."""

    to_anchor: float
    to_mean: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Unsure":
        """By lot: one way or the other, or not at all."""
        way, to_anchor, to_mean = rng.random(), MOST_TO_ANCHOR * rng.random(), MOST_TO_MEAN * rng.random()
        return cls(
            to_anchor=to_anchor if way < UNSURE_SHARE else 0.0, to_mean=to_mean if way > 1 - UNSURE_SHARE else 0.0
        )

    def drawing_of(self, true_FCHW: Tensor, posed_FCHW: Tensor) -> Tensor:
        """What a model that is so unsure draws of a film."""
        towards_FCHW = torch.lerp(true_FCHW, posed_FCHW, self.to_anchor)
        return torch.lerp(towards_FCHW, true_FCHW.mean(dim=0, keepdim=True).expand_as(true_FCHW), self.to_mean)


def build_cuts(folder: Path, number: int, pack: LoadedPack) -> bool:
    """Makes the cuts of film `number` in `folder`, all or none; returns whether they were missing."""
    path = folder / f"{number:06d}{SUFFIX}"
    if path.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    rng, maker = np.random.default_rng([number, 32]), CutMaker.of(pack)
    film = drawn_film(pack, number, DRAWN_FRAMES)
    starts = starts_of(film["anchor_of_latent_F"].numpy())
    num_frames = NUM_LATENTS * maker.codec.frames_per_latent
    posed = PosedFilmSamples(size_px=pack.size_px, anchor_px=pack.film_px, num_frames=num_frames)
    lively_N = np.array([_liveliness(film["state_TK"], int(start), maker.codec.frames_per_latent) for start in starts])
    chosen = rng.choice(starts, min(DRAWN_CUTS, len(starts)), replace=False, p=lively_N / lively_N.sum())
    cuts = [maker.of_drawn(film, int(start)) for start in chosen]
    cuts += [maker.of_posed(posed(POSED_CUTS * number + place), Unsure.drawn(rng)) for place in range(POSED_CUTS)]
    together = {name: torch.stack([cut[name] for cut in cuts]) for name in cuts[0]}
    partial = path.with_suffix(f".partial-{os.getpid()}")
    save_file(together, partial)
    partial.replace(path)
    return True


def _liveliness(state_TK: Tensor, start: int, fold: int) -> float:
    """How much a cut that begins with this latent has to show."""
    frames_TK = state_TK[fold * start : fold * (start + NUM_LATENTS)]
    blink_T, press_T, open_T = (frames_TK[:, channel(name)] for name in ("blink", "lip_press", "mouth_open"))
    opening = min(1.0, 2.0 * float(open_T.max() - open_T.min()))
    return STILL + BLINKING * bool((blink_T > 0.5).any()) + PRESSED * bool((press_T > 0.5).any()) + OPENING * opening


def cuts_apart(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The files of a folder to learn from, and those held out."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    return tuple(path for place, path in enumerate(paths) if place % HELD_OUT_EACH), tuple(paths[::HELD_OUT_EACH])


@dataclass(frozen=True, kw_only=True)
class CroppedCuts:
    """Makes sample i: a square of some cut, most often around mouth and eyes; pictures float in [-1, 1], focus float."""

    paths: tuple[Path, ...]
    side_px: int
    step_px: int  # corners lie on multiples of it
    focus_share: float = 0.75
    shift_px: float = 14.0  # how far from its middle the focus may lie

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number and the files."""
        rng = np.random.default_rng([number, 5])
        with safe_open(self.paths[int(rng.integers(len(self.paths)))], framework="pt") as cuts:
            focus_NTHW = cuts.get_tensor("focus_THW")
            place = int(rng.integers(len(focus_NTHW)))
            y, x = self._corner(focus_NTHW[place], rng)
            rows, columns = slice(y, y + self.side_px), slice(x, x + self.side_px)
            pictures = {
                name: cuts.get_slice(name)[place, :, :, rows, columns]
                for name in ("decoded_TCHW", "moved_TCHW", "truth_TCHW")
            }
            return {name: as_floats(picture) for name, picture in pictures.items()} | {
                "focus_THW": focus_NTHW[place, :, rows, columns].float(),
                "from_rest_FM": cuts.get_slice("from_rest_FM")[place],
            }

    def _corner(self, focus_THW: Tensor, rng: np.random.Generator) -> tuple[int, int]:
        """Where the square begins: around the focus by its share of lots, else anywhere."""
        most = focus_THW.shape[-1] - self.side_px
        corner_2 = rng.uniform(0.0, most, 2)
        if rng.random() < self.focus_share and focus_THW.any():
            yx_N2 = focus_THW.any(dim=0).nonzero().numpy()
            middle_2 = (yx_N2.min(axis=0) + yx_N2.max(axis=0)) / 2
            corner_2 = middle_2 - self.side_px / 2 + rng.uniform(-self.shift_px, self.shift_px, 2)
        y, x = (int(np.clip(round(each / self.step_px), 0, most // self.step_px)) * self.step_px for each in corner_2)
        return y, x


def whole_cuts(paths: tuple[Path, ...], *, are_drawn: bool) -> dict[str, Tensor]:
    """All cuts of files that are drawn by the pack, or that are not, whole, as one batch."""
    found: list[dict[str, Tensor]] = []
    for path in paths:
        with safe_open(path, framework="pt") as cuts:
            tensors = {name: cuts.get_tensor(name) for name in cuts.keys()}  # noqa: SIM118 (a file is no mapping)
        chosen_N = tensors.pop("is_drawn") == are_drawn
        found.append({name: _to_learn(name, tensor[chosen_N]) for name, tensor in tensors.items()})
    return {name: torch.cat([each[name] for each in found]) for name in found[0]}


def _to_learn(name: str, kept: Tensor) -> Tensor:
    """A tensor of a file of cuts as float32: pictures in [-1, 1], the rest as it is (no autocast joins tensors of float16)."""
    return as_floats(kept) if name.endswith("TCHW") else kept.float()


def starts_of(anchor_of_latent_F: NDArray[np.int64]) -> NDArray[np.int64]:
    """Latents that have one before them, behind the opening, and stay near one picture with those that follow them."""
    starts = np.arange(2, len(anchor_of_latent_F) - NUM_LATENTS + 1)
    last = starts + NUM_LATENTS - 1
    stays: NDArray[np.bool_] = anchor_of_latent_F[starts] == anchor_of_latent_F[last]
    return starts[stays]


def as_anchor(picture_HWC: Tensor, row_M: Tensor) -> AnchorPicture:
    """A picture, uint8 [H, W, 3], that shows a motion row."""
    pixels_BCHW = rearrange(picture_HWC, "h w c -> 1 c h w").float() / 127.5 - 1.0
    return AnchorPicture(pixels_BCHW=pixels_BCHW, row_BM=row_M[None])


def as_bytes(pixels_TCHW: Tensor) -> Tensor:
    """Pixels in [-1, 1] as uint8; what lies beyond is cut off."""
    return ((pixels_TCHW.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).contiguous()


def as_floats(pictures_TCHW: Tensor) -> Tensor:
    """Pictures of a cut in [-1, 1], however they are kept."""
    floats_TCHW = pictures_TCHW.float()
    return floats_TCHW / 127.5 - 1.0 if pictures_TCHW.dtype == torch.uint8 else floats_TCHW
