"""The retouching network on constructed weights: which pixel goes where, what it is told of which frames, and how trustingly it begins."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.posing.retouch import TRUSTING, Retouch, RetouchConfig

CONFIG = RetouchConfig(frame_width=3, told_width=5, frames_per_latent=2, cell_px=3, width=6, num_blocks=2)
NUM_LATENTS, HEIGHT, WIDTH = 3, 9, 12
NEVER, ALWAYS = -100.0, 100.0  # logits of a share


def films(batch: int = 2) -> tuple[Tensor, Tensor]:
    """Decoded and moved pictures of noise, [B, T, 3, H, W]: every number tells its place."""
    shape = (2, batch, NUM_LATENTS * CONFIG.frames_per_latent, 3, HEIGHT, WIDTH)
    decoded_BTCHW, moved_BTCHW = 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1
    return decoded_BTCHW, moved_BTCHW


def told(batch: int = 2) -> Tensor:
    """Rows of noise, [B, F, M], as their difference from rest."""
    return 4 * torch.randn(batch, NUM_LATENTS, CONFIG.row_width, generator=torch.Generator().manual_seed(1))


def new_network(config: RetouchConfig = CONFIG) -> Retouch:
    torch.manual_seed(0)
    return Retouch(config).eval().requires_grad_(False)


def random_network() -> Retouch:
    """Random everywhere, also where training starts from zero."""
    network = new_network()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def biased(share_logit: float) -> Retouch:
    """Goes the same share of the way everywhere and adds nothing."""
    network = new_network()
    torch.nn.init.constant_(bias_of(network.share), share_logit)
    return network


def bias_of(layer: torch.nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def test_a_new_network_trusts_the_moved_anchor() -> None:
    decoded_BTCHW, moved_BTCHW = films()
    way_BTCHW = moved_BTCHW - decoded_BTCHW
    retouched_BTCHW = new_network()(decoded_BTCHW, moved_BTCHW, told())
    share = float(torch.sigmoid(torch.tensor(TRUSTING)))
    assert 0.8 < share < 0.95
    torch.testing.assert_close(retouched_BTCHW, decoded_BTCHW + share * way_BTCHW, rtol=0, atol=1e-6)


def test_the_whole_way_is_the_moved_anchor_pixel_for_pixel_and_none_the_decoded_picture() -> None:
    decoded_BTCHW, moved_BTCHW = films()
    assert torch.equal(biased(ALWAYS)(decoded_BTCHW, moved_BTCHW, told()), moved_BTCHW)
    assert torch.equal(biased(NEVER)(decoded_BTCHW, moved_BTCHW, told()), decoded_BTCHW)


@pytest.mark.parametrize(("frame", "y", "x"), [(0, 0, 0), (1, 0, 2), (0, 2, 1), (1, 1, 0)])
def test_each_share_is_that_of_one_pixel_of_its_cell_with_all_its_colours(frame: int, y: int, x: int) -> None:
    network, (decoded_BTCHW, moved_BTCHW) = biased(NEVER), films()
    cell_px, frames = CONFIG.cell_px, CONFIG.frames_per_latent
    bias_of(network.share)[(frame * cell_px + y) * cell_px + x] = ALWAYS
    wanted_BTCHW = decoded_BTCHW.clone()
    wanted_BTCHW[:, frame::frames, :, y::cell_px, x::cell_px] = moved_BTCHW[:, frame::frames, :, y::cell_px, x::cell_px]
    assert torch.equal(network(decoded_BTCHW, moved_BTCHW, told()), wanted_BTCHW)


def test_each_touch_is_that_of_one_colour_of_one_pixel() -> None:
    network, (decoded_BTCHW, moved_BTCHW) = biased(NEVER), films()
    cell_px, frames = CONFIG.cell_px, CONFIG.frames_per_latent
    frame, y, x, colour = 1, 2, 0, 1
    bias_of(network.touch)[((frame * 3 + colour) * cell_px + y) * cell_px + x] = 0.5
    wanted_BTCHW = decoded_BTCHW.clone()
    wanted_BTCHW[:, frame::frames, colour, y::cell_px, x::cell_px] += 0.5
    assert torch.equal(network(decoded_BTCHW, moved_BTCHW, told()), wanted_BTCHW)


def test_frames_of_a_latent_are_seen_together_and_those_of_others_never() -> None:
    network, (decoded_BTCHW, moved_BTCHW) = random_network(), films()
    plain_BTCHW = network(decoded_BTCHW, moved_BTCHW, told())
    for place in range(3):
        changed = [decoded_BTCHW.clone(), moved_BTCHW.clone(), told()]
        latents = changed[place].unflatten(1, (NUM_LATENTS, -1))
        latents[0, 1, 0] += 0.5  # the first frame of the second latent of the first film, or what is told of it
        difference_BT = (network(*changed) - plain_BTCHW).abs().amax(dim=(2, 3, 4))
        assert (difference_BT[0, 2:4] > 1e-3).all()
        difference_BT[0, 2:4] = 0.0
        assert difference_BT.max() < 1e-5


def test_rest_says_nothing_and_many_spreads_are_not_many_times_as_loud() -> None:
    network, (decoded_BTCHW, moved_BTCHW) = random_network(), films(batch=1)
    at_rest_BFM = torch.zeros(1, NUM_LATENTS, CONFIG.row_width)
    unspoken = network(decoded_BTCHW, moved_BTCHW, at_rest_BFM)
    torch.nn.init.zeros_(network.tell.weight)
    torch.testing.assert_close(network(decoded_BTCHW, moved_BTCHW, at_rest_BFM), unspoken)
    torch.testing.assert_close(network(decoded_BTCHW, moved_BTCHW, told(batch=1)), unspoken)
    heard, louder = (random_network()(decoded_BTCHW, moved_BTCHW, at_rest_BFM + spreads) for spreads in (20.0, 40.0))
    assert (heard - unspoken).abs().mean() > 2 * (louder - heard).abs().mean() > 0


def test_a_film_is_the_same_however_it_is_cut_between_latents() -> None:
    network, (decoded_BTCHW, moved_BTCHW) = random_network(), films(batch=1)
    whole_BTCHW = network(decoded_BTCHW, moved_BTCHW, told(batch=1))
    for cuts in ([1, 1, 1], [2, 1], [1, 2]):
        frames = [CONFIG.frames_per_latent * cut for cut in cuts]
        pieces = zip(
            decoded_BTCHW.split(frames, dim=1),
            moved_BTCHW.split(frames, dim=1),
            told(batch=1).split(cuts, dim=1),
            strict=True,
        )
        cut_BTCHW = torch.cat([network(*piece) for piece in pieces], dim=1)
        torch.testing.assert_close(cut_BTCHW, whole_BTCHW, rtol=0, atol=1e-5)


def test_pixels_keep_their_numbers_whatever_autocast_says() -> None:
    """In bfloat16 colours have 128 steps at most."""
    network, (decoded_BTCHW, moved_BTCHW) = biased(ALWAYS), films()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        retouched_BTCHW = network(decoded_BTCHW.bfloat16(), moved_BTCHW, told())
    assert retouched_BTCHW.dtype == torch.float32
    assert torch.equal(retouched_BTCHW, moved_BTCHW)


def test_part_of_a_latent_is_refused() -> None:
    decoded_BTCHW, moved_BTCHW = films()
    with pytest.raises(Exception, match=r"frames|divis|shape"):
        new_network()(decoded_BTCHW[:, :3], moved_BTCHW[:, :3], told())


@pytest.mark.parametrize("name", ["frame_width", "frames_per_latent", "cell_px", "width", "num_blocks", "told_width"])
def test_configs_that_cannot_work_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0.*at least one"):
        replace(CONFIG, **{name: 0})
    assert CONFIG.cell_channels == 3 * CONFIG.cell_pixels == 54
