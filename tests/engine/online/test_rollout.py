"""The rollout of backbone and refiner: what writes which history, going back, gradients, and that training rolls out what runs live."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.errors import BadInputError
from engine.flow.noising import add_noise
from engine.model import linear
from engine.model.attend import using
from engine.model.chunk import KeysValues
from engine.model.transformer import Transformer
from engine.online.half_resolution import doubled, halved, halved_noise, spread_over
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from engine.online.settings import OnlineSettings
from engine.references import ReferenceLatents
from tests.engine.online.small_models import COLUMNS, CONFIG, ROWS, random_model
from tests.engine.online.small_rollouts import AROUND, SETTINGS, conditions, make

SHAPE = (CONFIG.in_channels, ROWS, COLUMNS)


def references() -> ReferenceLatents:
    latents_RCHW = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(4))
    return ReferenceLatents.of_names(latents_RCHW, [("global", ""), ("view", "left")])


def rollout(
    settings: OnlineSettings = SETTINGS, models: tuple[Transformer, Transformer] | None = None, seed: int = 0
) -> CausalRollout:
    backbone, refiner = models or (random_model(seed=1), random_model(seed=2))
    portrait_BCHW = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5))
    parts = [
        CausalModel(model, settings, references(), portrait_BCHW, slack_latents=12) for model in (backbone, refiner)
    ]
    return CausalRollout(parts[0], parts[1], settings, SeededNoise(seed, SHAPE, torch.device("cpu")))


@pytest.mark.parametrize("settings", [SETTINGS, AROUND], ids=["plain", "around the reference"])
@pytest.mark.parametrize("chunk", [6, 3, 2])
def test_every_chunk_length_rolls_on_past_its_history(settings: OnlineSettings, chunk: int) -> None:
    latents_BFCHW = make(rollout(settings), (chunk,) * 5)
    assert latents_BFCHW.shape == (1, 5 * chunk, *SHAPE)
    assert torch.isfinite(latents_BFCHW).all()
    assert not torch.equal(latents_BFCHW[:, :chunk], latents_BFCHW[:, chunk : 2 * chunk])


def test_the_paper_s_steps_in_plain_words() -> None:
    """Two steps on a history of keys at T_1, re-noise to T_2, one step on a history of clean keys: written out beside it."""
    run, twin = rollout(), rollout()
    first, second = SETTINGS.backbone_timesteps
    draw = twin.noise.draw
    for start in (0, 3, 6):
        told = conditions(start, 3)
        with torch.no_grad():
            chunk = twin.backbone.open(start, told)
            clean, _ = twin.backbone.predict(chunk, draw(start, 3, 0), first)
            sigma_BF = torch.full((1, 3), second / 1000)
            clean, at_second = twin.backbone.predict(chunk, add_noise(clean, draw(start, 3, 1), sigma_BF), second)
            twin.backbone.append(at_second, clean)
            refining = twin.refiner.open(start, told)
            sigma_BF = torch.full((1, 3), SETTINGS.refiner_timestep / 1000)
            noisy = add_noise(clean, draw(start, 3, 2), sigma_BF)
            final, _ = twin.refiner.predict(refining, noisy, SETTINGS.refiner_timestep)
            _, at_zero = twin.refiner.predict(refining, final, 0.0)
            twin.refiner.append(at_zero, final)
            assert torch.equal(run.refine(start, run.draft(start, told), told), final)


def test_the_backbone_does_not_wait_for_the_refiner() -> None:
    """Drafts of all chunks first, then all refinements: the same latents, so the two may overlap in time."""
    together, apart = rollout(AROUND), rollout(AROUND)
    one_by_one = make(together, (3, 3, 3))
    with torch.no_grad():
        drafts = [apart.draft(start, conditions(start, 3)) for start in (0, 3, 6)]
        finals = [
            apart.refine(start, draft, conditions(start, 3)) for start, draft in zip((0, 3, 6), drafts, strict=True)
        ]
    assert torch.equal(one_by_one, torch.cat(finals, dim=1))


@pytest.mark.parametrize("settings", [SETTINGS, AROUND], ids=["plain", "around the reference"])
def test_a_withdrawn_chunk_leaves_no_trace_even_from_its_middle(settings: OnlineSettings) -> None:
    plain, changed = rollout(settings), rollout(settings)
    before, also_before = make(plain, (3, 3, 3)), make(changed, (3, 3, 3))
    assert torch.equal(before, also_before)
    make(changed, (3, 2), start=5, loud=4.0)  # goes back into the second chunk, then on
    after_plain, after_changed = make(plain, (3, 3), start=5), make(changed, (3, 3), start=5)
    assert torch.equal(after_plain, after_changed)
    assert not torch.equal(after_plain[:, :3], before[:, 5:8])  # another grid of chunks


def test_the_same_latents_from_a_rollout_that_is_differentiated(monkeypatch: pytest.MonkeyPatch) -> None:
    """4.3: the training rollout is the live rollout, bit for bit in float32; its gradient stays within the chunk.

    With the same kernels, that is: left to themselves, `attend` and `Linear` take others where gradients are wanted.
    """
    monkeypatch.setattr(linear, "HAS_WIDE_ONEDNN", False)
    models = (random_model(seed=1).requires_grad_(), random_model(seed=2).requires_grad_())
    made = []
    with using("math"):
        live, training = rollout(), rollout(models=models)
        latents_live = make(live, (3, 3, 3, 3))
        for start in (0, 3, 6, 9):
            told = conditions(start, 3)
            made.append(training.refine(start, training.draft(start, told), told))
    assert torch.equal(latents_live, torch.cat([latents.detach() for latents in made], dim=1))
    made[1].square().mean().backward()  # after two more chunks have been written over the history that it saw
    for model in models:
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert gradients
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert not training.backbone.cache.tensors()["keys"].requires_grad


def test_histories_keep_their_own_noise_level() -> None:
    """Another T_1 changes what the backbone remembers; the refiner remembers clean latents whatever T_2 is."""
    run = rollout()
    make(run, (3,))
    keys = run.refiner.cache.tensors()["keys"]
    clean = run.refiner.tail.last(3)
    fresh = CausalModel(run.refiner.model, SETTINGS, references(), torch.zeros(1, *SHAPE), slack_latents=12)
    with torch.no_grad():
        _, layers = fresh.predict(fresh.open(0, conditions(0, 3)), clean, 0.0)
        fresh.append(layers, clean)
    torch.testing.assert_close(fresh.cache.tensors()["keys"], keys)
    other = rollout(replace(SETTINGS, backbone_timesteps=(1000.0, 850.0)))
    make(other, (3,))
    assert not torch.allclose(other.backbone.cache.tensors()["keys"], run.backbone.cache.tensors()["keys"])


def test_new_references_act_from_the_next_chunk_on_and_the_past_stays() -> None:
    run, twin = rollout(), rollout()
    make(run, (3,))
    make(twin, (3,))
    other = replace(references(), latents_BRCHW=references().latents_BRCHW + 1)
    for model in (run.backbone, run.refiner):
        model.refresh_references(other)
    assert torch.equal(run.refiner.cache.tensors()["keys"], twin.refiner.cache.tensors()["keys"])
    assert not torch.equal(make(run, (3,), start=3), make(twin, (3,), start=3))


@pytest.mark.parametrize("effort", [0, 1])
def test_the_anchor_that_a_direction_calls_for_is_what_both_models_start_from(effort: int) -> None:
    """A direction may move the anchor and leave the pictures as they are; a model around the reference must follow in that chunk."""
    shape_CHW = (
        CONFIG.in_channels,
        2 * ROWS,
        2 * COLUMNS,
    )  # of an even grid, so that the coarser refiner can do it too
    latents_RCHW = torch.randn(2, *shape_CHW, generator=torch.Generator().manual_seed(7))
    names = [("global", ""), ("expression", "happy")]
    plain, happy = (ReferenceLatents.of_names(latents_RCHW, names, anchor=anchor) for anchor in (None, 1))

    def film(settings: OnlineSettings, second: ReferenceLatents) -> Tensor:
        models = [
            CausalModel(random_model(seed=seed), settings, plain, torch.zeros(1, *shape_CHW), slack_latents=6)
            for seed in (1, 2)
        ]
        run = CausalRollout(models[0], models[1], settings, SeededNoise(0, shape_CHW, torch.device("cpu")))
        made = []
        for first, shown in ((0, plain), (3, second)):
            told = replace(conditions(first, 3), references=shown, effort=effort)
            draft_BFCHW = run.draft(first, told)
            made += [draft_BFCHW, run.refine(first, draft_BFCHW, told)]
        guesses = [model.open(6, replace(conditions(6, 3), references=second)).guess for model in models]
        for model, guess in zip(models, guesses, strict=True):
            if settings.preconditioning == "around_reference":
                anchor_CHW, last_CHW = latents_RCHW[int(second is happy)], model.tail.last()[0, 0]
                wanted_CHW = anchor_CHW + settings.history_share * (last_CHW - anchor_CHW)
                torch.testing.assert_close(guess.latents_BRCHW[0, 0], wanted_CHW)
        return torch.stack(made)

    staying, moved = film(AROUND, plain), film(AROUND, happy)
    assert torch.equal(staying[:2], moved[:2])
    assert all((staying[place] - moved[place]).abs().mean() > 0.01 for place in (2, 3))
    assert torch.equal(film(SETTINGS, plain), film(SETTINGS, happy)), (
        "without a reference to start from there is no anchor"
    )


def test_noise_belongs_to_latents_not_to_chunks() -> None:
    noise = SeededNoise(7, SHAPE, torch.device("cpu"))
    assert torch.equal(noise.draw(0, 6, 1)[:, 2:5], noise.draw(2, 3, 1))
    assert not torch.equal(noise.draw(0, 1, 0), noise.draw(0, 1, 1))
    assert not torch.equal(noise.draw(0, 1, 0), SeededNoise(8, SHAPE, torch.device("cpu")).draw(0, 1, 0))
    assert abs(float(noise.draw(0, 400, 0).std()) - 1) < 0.05


def test_settings_that_cannot_work_are_refused_by_name() -> None:
    for wrong, words in (
        ({"backbone_timesteps": (900.0, 950.0)}, "timesteps fall"),
        ({"refiner_timestep": 0.0}, "timesteps fall"),
        ({"chunk_latents": 4}, "chunk_choices"),
        ({"positions": "anywhere"}, "positions"),
        ({"preconditioning": "magic"}, "preconditioning"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(OnlineSettings(), **wrong)
    with pytest.raises(BadInputError, match="choose 6, 3, 2"):
        OnlineSettings().check_chunk(4)
    assert OnlineSettings().context_latents == 36
    OnlineSettings().check_reach(36)
    with pytest.raises(ValueError, match="reach to RoPE time 36, over the references, which stand at 32"):
        OnlineSettings().check_reach(32)
    with pytest.raises(ValueError, match="cannot go on at latent 4"):
        rollout().draft(4, conditions(4, 3))


def test_half_the_resolution_is_the_whole_of_what_is_smooth() -> None:
    """Means, their way back, unit noise, and keys of a half grid at each of their four tokens."""
    latents = torch.randn(2, 3, 4, 1, 1).expand(-1, -1, -1, 4, 6)
    torch.testing.assert_close(doubled(halved(latents)), latents)
    assert abs(float(halved_noise(torch.randn(1, 60, 8, 8, 8)).std()) - 1) < 0.05
    k_BSNK = torch.arange(2 * 2 * 3).float().view(1, 12, 1, 1)
    spread = spread_over((KeysValues(k_BSNK=k_BSNK, v_BSNK=k_BSNK),), (4, 6))[0].k_BSNK.view(2, 4, 6)
    assert torch.equal(spread[1], k_BSNK.view(2, 2, 3)[1].repeat_interleave(2, 0).repeat_interleave(2, 1))


@pytest.mark.parametrize("settings", [SETTINGS, AROUND], ids=["plain", "around the reference"])
def test_a_coarser_refiner_goes_on_where_the_whole_one_stopped_and_back(settings: OnlineSettings) -> None:
    shape = (CONFIG.in_channels, 4, 6)
    portrait_BCHW = torch.randn(1, *shape, generator=torch.Generator().manual_seed(5))
    own = ReferenceLatents.of_names(portrait_BCHW, [("global", "")])
    models = [CausalModel(random_model(seed=seed), settings, own, portrait_BCHW, slack_latents=12) for seed in (1, 2)]
    run = CausalRollout(models[0], models[1], settings, SeededNoise(0, shape, torch.device("cpu")))
    assert run.efforts == ("whole", "refiner at half resolution")
    assert rollout().efforts == ("whole",)
    made = []
    for start, effort in ((0, 0), (3, 1), (6, 1), (9, 0)):
        told = replace(conditions(start, 3), effort=effort)
        with torch.no_grad():
            draft = run.draft(start, told)
            final = run.refine(start, draft, told)
        made.append(final)
        keys_FPNK = run.refiner.cache.tensors()["keys"][0, 0, run.refiner.cache._slot(start)].view(4, 6, -1)
        shares_keys = torch.equal(keys_FPNK[0::2, 0::2], keys_FPNK[1::2, 1::2])
        assert shares_keys == bool(effort)
    assert torch.isfinite(torch.cat(made, dim=1)).all()
    assert run.refiner.cache.length == 12
    assert models[1].cache.context(models[1].reference_context).layers[0].k_BSNK.shape[1] == (1 + 6) * 24
