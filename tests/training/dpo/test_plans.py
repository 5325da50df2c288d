"""Plans of motion as candidates: drawn from seeds, judged exactly, and learned from at equal noise."""

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch

from engine.errors import BadInputError
from engine.flow.noising import SigmaSampling, add_noise, velocity_target
from engine.flow.schedule import TIMESTEP_SCALE
from engine.model.transformer import DitInputs, Transformer
from engine.motion.plan import motion_velocity, path_spread
from engine.references import ReferenceLatents
from tests.training.dpo.small_plans import CONFIG, SHAPE, small_maker, small_motion
from training.data.motion_rows import states_of
from training.data.windows import LISTEN_HISTORY_ROWS
from training.dpo.candidates import CandidateMaker
from training.dpo.held_out_plans import HeldOutPlans
from training.dpo.pairs import FILMS, PAIRS_NAME, PLANS, read_pairs, read_scene
from training.dpo.pareto import dominates
from training.dpo.plan_scenes import cut_scene, plan_errors, plan_scenes
from training.dpo.scores import score_plan
from training.objectives.dpo import DpoConfig
from training.parallel import World
from training.tasks.preference import Pairs, PreferenceTask, stacked

HISTORY_FRAMES = 4 * SHAPE.history


def test_a_plan_follows_from_its_scene_and_its_seed_alone() -> None:
    maker = small_maker()
    _, alone, _ = maker.judged([3])
    _, among, judged = maker.judged([2, 3])
    torch.testing.assert_close(alone[0], among[1], rtol=1e-2, atol=1e-2)
    assert alone.shape == (1, 4, SHAPE.num_rows, CONFIG.in_channels)
    assert (alone[0, 0] - alone[0, 1]).abs().max() > 0.1, "seeds differ"
    assert [len(scene) for scene in judged] == [4, 4]


def test_each_part_follows_on_the_plan_so_far_and_hears_its_own_sound() -> None:
    motion, sample = small_motion(), cut_scene(small_maker().features, SHAPE, 0)
    batch = stacked([sample, {name: tensor.clone() for name, tensor in sample.items()}])
    last = SHAPE.history + 2 * SHAPE.part_rows  # where the third part begins
    batch["speak_AD"][1, last:] += 3.0
    noise_FM = torch.randn(SHAPE.num_rows, CONFIG.in_channels, generator=torch.Generator().manual_seed(0))
    plans_BFM = plan_scenes(motion, SHAPE, batch, torch.stack([noise_FM, noise_FM]))
    heard_later = 2 * SHAPE.part_rows
    torch.testing.assert_close(plans_BFM[0, :heard_later], plans_BFM[1, :heard_later], rtol=1e-2, atol=1e-2)
    assert (plans_BFM[0, heard_later:] - plans_BFM[1, heard_later:]).abs().max() > 0.05
    noise_2FM = torch.stack([noise_FM, noise_FM])
    noise_2FM[1, : SHAPE.part_rows] *= -1.0
    plans_BFM = plan_scenes(motion, SHAPE, stacked([sample, sample]), noise_2FM)
    assert (plans_BFM[0, heard_later:] - plans_BFM[1, heard_later:]).abs().max() > 1e-3, "parts see what was planned"


def test_pairs_are_made_once_and_a_kill_costs_a_scene(tmp_path: Path) -> None:
    maker = small_maker()
    answers = iter([True, False])
    assert maker.make_scenes(tmp_path, lambda: next(answers)) == 6
    pairs = maker.build(tmp_path)
    assert read_pairs(tmp_path / PAIRS_NAME) == pairs
    assert len(pairs) > 4
    victim = tmp_path / "scenes" / "scene-000002.safetensors"
    others = {path: path.stat().st_mtime_ns for path in victim.parent.iterdir() if path.stem != victim.stem}
    victim.with_suffix(".jsonl").unlink()
    victim.unlink()
    again = maker.build(tmp_path)
    assert [(pair.scene, pair.winner, pair.loser) for pair in again] == [
        (pair.scene, pair.winner, pair.loser) for pair in pairs
    ]
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in others.items())


def test_a_winner_of_the_file_dominates_by_its_own_states(tmp_path: Path) -> None:
    maker = small_maker()
    for pair in maker.build(tmp_path):
        scene = read_scene(tmp_path, pair, PLANS)
        true_FM = scene["motion_FM"].float()
        states = [
            states_of(torch.cat([true_FM[: SHAPE.history], scene[PLANS][index].float()])).numpy()
            for index in (pair.winner, pair.loser)
        ]
        winner, loser = (score_plan(state_TK, states_of(true_FM).numpy(), HISTORY_FRAMES) for state_TK in states)
        assert winner.scores["motion"] > loser.scores["motion"]
        assert dominates(maker.config.pareto, winner.scores, loser.scores) or (
            winner.scores["motion"] - loser.scores["motion"] < 0.01
        ), "but for what half precision took"
        assert max(winner.motion, loser.motion) <= 2.01 * min(winner.motion, loser.motion)
    with pytest.raises(BadInputError, match="holds no films"):
        read_scene(tmp_path, pair, FILMS)


def test_errors_are_those_of_each_part_behind_the_plan_so_far() -> None:
    maker, transformer = small_maker(), small_motion(seed=4).transformer
    samples, plans_SNFM, _ = maker.judged([0, 1])
    batch = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stacked(samples).items()
    }
    plan_BFM, sigma_B = plans_SNFM[:, 1], torch.tensor([0.3, 0.8])
    noise_BFM = torch.randn(plan_BFM.shape, generator=torch.Generator().manual_seed(2))
    found_B = plan_errors(DpoConfig(), SHAPE, transformer, batch, plan_BFM, noise_BFM, sigma_B)
    length, expected = SHAPE.history + SHAPE.part_rows, torch.zeros(2)
    for part in range(SHAPE.num_parts):
        first = part * SHAPE.part_rows
        rows_BFM = torch.cat([batch["motion_FM"][:, : SHAPE.history], plan_BFM], dim=1)[:, first : first + length]
        noise_part = noise_BFM[:, first : first + SHAPE.part_rows]
        sigma_BF = torch.cat([torch.zeros(2, SHAPE.history), sigma_B[:, None].expand(-1, SHAPE.part_rows)], dim=1)
        all_noise = torch.cat([torch.zeros(2, SHAPE.history, CONFIG.in_channels), noise_part], dim=1)
        noisy_BFCHW = add_noise(rows_BFM[..., None, None], all_noise[..., None, None], sigma_BF)
        inputs = DitInputs(
            latents_BFCHW=noisy_BFCHW,
            timestep_BF=TIMESTEP_SCALE * sigma_BF,
            references=ReferenceLatents.none_for(noisy_BFCHW),
            text_BSD=batch["text_PSD"][:, part],
            speak_BAD=batch["speak_AD"][:, first : first + length],
            listen_BAD=batch["listen_AD"][:, first : first + length + LISTEN_HISTORY_ROWS],
            listen_start_row=-LISTEN_HISTORY_ROWS,
        )
        velocity = motion_velocity(transformer, inputs)[:, SHAPE.history :]
        target = velocity_target(rows_BFM[:, SHAPE.history :], noise_part)
        error = path_spread(sigma_B)[:, None, None] * (velocity - target)
        expected += error.square().mean(dim=(1, 2)) / SHAPE.num_parts
    torch.testing.assert_close(found_B, expected, rtol=1e-4, atol=1e-5)


def preference_task(folder: Path, maker: CandidateMaker) -> PreferenceTask:
    pairs = Pairs(folder=folder, pairs=tuple(maker.build(folder)), candidates=PLANS)
    learned, held_out = pairs.parted(3)
    policy = Transformer(CONFIG)
    policy.load_state_dict(maker.motion.transformer.state_dict())
    config = DpoConfig(beta=200.0, flow_weight=0.05)
    return PreferenceTask(
        policy=policy,
        reference=maker.motion.transformer,
        error=partial(plan_errors, config, SHAPE),
        config=config,
        sigma=SigmaSampling(kind="uniform", shift=1.5),
        trained_on=learned,
        held_out_pairs=held_out,
        weights_file="motion.safetensors",
        held_out=HeldOutPlans(maker=replace(maker, config=replace(maker.config, num_seeds=2)), policy=policy),
    )


def test_steps_prefer_winners_and_leave_the_reference_alone(tmp_path: Path) -> None:
    task = preference_task(tmp_path, small_maker())
    before = task.measure()
    assert before["held_out_preferred"] == 0.0, "the policy begins as its reference"
    assert before["held_out_wins"] == 0.0
    assert before["held_out_motion_ratio"] == pytest.approx(1.0)
    assert not {pair.scene for pair in task.trained_on.pairs} & {pair.scene for pair in task.held_out_pairs.pairs}
    frozen = {name: tensor.clone() for name, tensor in task.reference.state_dict().items()}
    optimizer = torch.optim.Adam(task.model.parameters(), lr=1e-3)
    for step, batch in enumerate(islice(task.batches(0, 16, World(rank=0, size=1), 0), 30)):
        optimizer.zero_grad()
        task.loss(batch, torch.Generator().manual_seed(step))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    everything = stacked([task.trained_on.sample(number) for number in range(len(task.trained_on.pairs))])
    with torch.no_grad():
        learned = task.loss(everything, torch.Generator().manual_seed(99))
    assert float(learned["preferred"]) > 0.6
    assert float(learned["dpo"]) < 0.67, "below log 2, the loss of a coin"
    assert all(torch.equal(frozen[name], tensor) for name, tensor in task.reference.state_dict().items())
    after = task.measure()
    assert after["held_out_preferred"] > 0.0
    assert after["held_out_motion_ratio"] != before["held_out_motion_ratio"], "the policy's own plans are judged"
    task.export(tmp_path)
    again = preference_task(tmp_path, small_maker())
    again.start_from(tmp_path)
    assert again.measure()["held_out_flow"] == pytest.approx(after["held_out_flow"], rel=1e-4)


def test_stillness_that_was_learned_stops_the_run() -> None:
    held_out = HeldOutPlans(maker=small_maker(), policy=small_motion().transformer)
    assert held_out.complaint() is None, "nothing is measured yet"
    held_out.latest = {"held_out_motion_ratio": 0.95}
    assert held_out.complaint() is None
    held_out.latest = {"held_out_motion_ratio": 0.5}
    assert "stillness was learned" in str(held_out.complaint())


def test_clips_kept_in_halves_are_judged_where_products_are_cast() -> None:
    maker = small_maker()
    halves = {name: getattr(maker.features, name).half() for name in ("speak_NAD", "listen_NAD", "text_NCLD")}
    maker = replace(maker, features=replace(maker.features, **halves))
    with torch.autocast("cpu", torch.bfloat16):
        _, plans_SNFM, judged = maker.judged([0, 1])
    assert plans_SNFM.isfinite().all()
    assert len(judged) == 2
