"""What the benchmark compares is the same thing, and its figures fit together. Nothing here depends on how fast it runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.benchmarks import transformer as bench
from engine.benchmarks.plain_twin import PlainTwin
from engine.benchmarks.running import run_bench
from engine.benchmarks.timing import PartClock, interleaved_ms, ratio
from engine.benchmarks.transformer import EngineShape, inputs_of, measure_engine, shaped_config
from engine.errors import BadInputError
from engine.model.transformer import Transformer
from studio import cli

CONFIG = replace(shaped_config("tiny", 48, 2, 3, None), patch_size=(1, 2, 2), in_channels=4, out_channels=4, text_dim=8)
SHAPE = EngineShape(config=CONFIG, tokens=24, frames=2, text_rows=3, num_runs=2)
CPU = torch.device("cpu")


def _model() -> Transformer:
    torch.manual_seed(0)
    model = Transformer(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def test_the_plain_twin_computes_the_same() -> None:
    model, inputs = _model(), inputs_of(SHAPE, CPU)
    inputs = replace(inputs, timestep_BF=torch.tensor([[0.0, 700.0]]))
    assert SHAPE.grid == (3, 4)
    with torch.no_grad():
        torch.testing.assert_close(PlainTwin(model)(inputs), model(inputs), rtol=1e-3, atol=1e-4)


def test_figures_of_a_shape_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.benchmarks.timing.PEAK_SIZE", 32)
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    measured = measure_engine(SHAPE, CPU)
    assert measured["not_measured"] == bench.NO_DIFFUSERS
    assert set(measured["formats"]) == {"bfloat16", "float32"}
    assert measured["attention"]["bfloat16"]["chosen"] == "explicit"
    for figures in measured["formats"].values():
        names = [timing["name"] for timing in figures["timings"]]
        assert names == [bench.PEAK, bench.OURS, bench.WITH_SOUND, bench.TWIN]
        assert figures["share_of_peak"] == pytest.approx(figures["gflops_reached"] / figures["peak_gflops"], abs=0.002)
        assert set(figures["times_as_fast_as"]) == {bench.TWIN}
        assert min(figures["parts_ms"].values()) >= 0
        assert figures["parts_ms"]["self-attention"] > 0
    tokens, dim = 24, CONFIG.dim
    linears = (
        2 * tokens * dim * (4 + 2 + 8) * dim * CONFIG.num_layers
    )  # self-attention, queries and output of text, feed-forward
    assert measured["gflop_a_forward"] * 1e9 > linears


def test_diffusers_takes_the_same_inputs() -> None:
    pytest.importorskip("diffusers", reason="diffusers is not installed")
    inputs = inputs_of(SHAPE, CPU)
    with torch.no_grad():
        output_BCFHW = bench._diffusers_job(inputs, CONFIG)()
    assert output_BCFHW.transpose(1, 2).shape == inputs.latents_BFCHW.shape


def test_jobs_run_in_turn_and_the_cold_round_does_not_count() -> None:
    order: list[str] = []
    jobs = {"one": lambda: order.append("one"), "other": lambda: order.append("other")}
    runs_ms = interleaved_ms(jobs, 3, CPU)
    assert order == ["one", "other"] * 4
    assert {name: len(runs) for name, runs in runs_ms.items()} == {"one": 3, "other": 3}
    assert ratio([10.0, 30.0, 8.0], [5.0, 10.0, 4.0]) == 2.0


def test_the_part_clock_leaves_the_model_as_it_was() -> None:
    model, inputs = _model(), inputs_of(SHAPE, CPU)
    with torch.no_grad():
        before = model(inputs)
        with PartClock({"head": [model.head], "never": []}, CPU) as clock:
            assert torch.equal(model(inputs), before)
        told_ms = clock.ms["head"]
        model(inputs)
    assert told_ms > 0 and clock.ms == {"head": told_ms, "never": 0.0}


def test_wrong_wishes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        (["--tokens", "100", "--frames", "6"], "do not divide"),
        (["--dim", "100", "--heads", "7"], "even width"),
        (["--device", "mps"], "use --device cpu"),
    ):
        assert cli.main(["bench", "engine", *words]) == 1
        error = capsys.readouterr().err
        assert text in error and error.count("\n") == 1
    with pytest.raises(BadInputError, match="no benchmark 'all'"):
        run_bench("all", "lpm-tiny", "cpu", None)
    with pytest.raises(BadInputError, match="on the processor, not on 'cuda'"):
        run_bench("vae", "lpm-tiny", "cuda", None)


def test_the_command_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.benchmarks.timing.PEAK_SIZE", 32)
    figures = {"benchmark": "engine", "transformer": measure_engine(SHAPE, CPU)}
    monkeypatch.setattr("engine.benchmarks.running.run_bench", lambda *_: figures)
    assert cli.main(["bench", "engine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == figures
    assert cli.main(["bench", "engine", "--json", str(tmp_path / "deep" / "figures.json")]) == 0
    assert json.loads((tmp_path / "deep" / "figures.json").read_text()) == figures
    assert "times as fast as plain twin" in capsys.readouterr().out
