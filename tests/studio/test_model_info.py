"""`lpm models info` as a person asks it: presets, packs, sizes, and one clear line for what cannot be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.locations import HOME_VARIABLE
from studio.cli import main
from tests.engine.small_pack import BASE, write_small_pack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["models", "info", *words, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_the_17b_in_figures(capsys: pytest.CaptureFixture[str]) -> None:
    facts = asked(capsys, "17b")
    counts = facts["parameters"]
    assert counts["total"] == sum(count for part, count in counts.items() if part != "total") == 17_494_717_504
    assert facts["transformer"]["base"] == 14_288_491_584 and facts["transformer"]["audio"] == 3_206_225_920
    assert facts["flops_per_forward"] == sum(facts["flops_by_part"].values())
    assert (facts["width_px"], facts["height_px"], facts["tokens_per_chunk"]) == (832, 480, 9360)
    assert set(facts["memory_bytes"]) == {"float32", "bfloat16", "float8", "int8"}


def test_size_context_and_references_are_the_callers(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--resolution", "480x832", "--context-chunks", "2", "--chunk-latents", "3", "--references", "4")
    facts = asked(capsys, "small", *words)
    assert facts["tokens_per_chunk"] == 3 * 1560
    assert facts["tokens_in_context"] == 2 * 3 * 1560 + 4 * 1560
    assert facts["cache_bytes"] == 2 * 30 * 1536 * 2 * facts["tokens_in_context"]
    assert asked(capsys, "small", "--resolution", "720p")["tokens_per_latent"] == 3600


def test_a_pack_is_described_without_its_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_small_pack(tmp_path / "home" / "models" / "small")  # hides the preset of that name
    facts = asked(capsys, "small")
    assert facts["name"] == "small" and facts["folder"] == str(folder)
    assert set(facts["parameters"]) == {"total", "codec", "base", "speak_encoder", "listen_encoder", "text_encoder"}
    assert facts["parameters"]["base"] == facts["transformer"]["base"] + facts["transformer"]["audio"]
    assert facts["cache_bytes"] == 0 and facts["chunk_latents"] == 6
    assert facts["flops_per_forward"] > 2 * BASE.dim * BASE.ffn_dim
    (folder / "codec.safetensors").write_bytes(b"garbage")
    assert main(["models", "info", "small"]) == 1
    assert "codec.safetensors is missing or damaged" in capsys.readouterr().err


def test_figures_can_be_read_by_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "17b"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("parameters, total ") and line.endswith(" 17,494,717,504") for line in lines)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("17b", "--resolution", "850x480"), "nearest size that does is 848x480"),
        (("17b", "--resolution", "large"), "write width x height"),
        (("17b", "--context-chunks", "0"), "at least the chunk itself"),
        (("17b", "--chunk-latents", "-1"), "at least one latent frame"),
        (("17b", "--references", "-1"), "neither is below 0"),
        (("18b",), "presets: tiny, small, 17b"),
    ],
)
def test_what_cannot_be_gets_one_line(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "info", *words]) == 1
    written = capsys.readouterr().err
    assert complaint in written and written.count("\n") == 1


def test_nothing_slow_is_loaded_to_count() -> None:
    """Torch's compiler takes seconds to import; counting on the meta device must not wake it."""
    script = "import sys; from studio.cli import main; main(['models', 'info', '17b']); sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True).returncode == 0
