"""UMT5: the public numbers (float32, 5e-5), padding, and words from cleaning to rows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.encoders.umt5 import UMT5_TINY, UMT5_XXL, Umt5, Umt5Config, position_buckets
from engine.encoders.umt5_text import Umt5TextEncoder
from engine.encoders.umt5_tokenizer import Umt5Tokenizer, clean_text
from engine.errors import BadPackError
from engine.interop import umt5_official
from tests.engine.tiny_tokenizer import write_tokenizer

ORACLE = Path(__file__).parents[4] / "shared" / "oracles" / "umt5_tiny.safetensors"
TOLERANCE = 5e-5


@pytest.fixture(scope="module")
def oracle() -> dict[str, Tensor]:
    if not ORACLE.is_file():
        pytest.skip(f"the numeric oracle {ORACLE.name} is not beside this checkout (../shared/oracles)")
    return load_file(ORACLE)


@pytest.fixture(scope="module")
def network(oracle: dict[str, Tensor]) -> Umt5:
    weights = {name.removeprefix("weights."): value for name, value in oracle.items() if name.startswith("weights.")}
    assert umt5_official.recognises(weights)
    network = Umt5(umt5_official.config_from({name: tuple(value.shape) for name, value in weights.items()}, None))
    network.load_state_dict(
        {str(umt5_official.target_name(name)): value for name, value in weights.items()}, strict=True
    )
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny() -> Umt5:
    torch.manual_seed(0)
    return Umt5(UMT5_TINY).eval().requires_grad_(False)


def error(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


@pytest.mark.parametrize("case", ["short", "long"])
def test_public_numbers(network: Umt5, oracle: dict[str, Tensor], case: str) -> None:
    rows_BLD = network(oracle[f"{case}.ids"], oracle[f"{case}.mask"].bool())
    assert error(rows_BLD, oracle[f"{case}.out"]) < TOLERANCE


def test_public_numbers_layer_by_layer(network: Umt5, oracle: dict[str, Tensor]) -> None:
    ids_BL, is_token_BL = oracle["short.ids"], oracle["short.mask"].bool()
    config = network.config
    buckets_LS = position_buckets(ids_BL.shape[1], config.num_buckets, config.max_distance)
    assert error(network.layers[0].position_bias(buckets_LS)[None], oracle["short.inter.block0_pos_bias"]) < TOLERANCE
    x_BLD = network.embedding(ids_BL)
    for index, layer in enumerate(network.layers):
        x_BLD = layer(x_BLD, buckets_LS, is_token_BL)
        assert error(x_BLD, oracle[f"short.inter.block{index}_out"]) < TOLERANCE


def test_the_table_of_distances(oracle: dict[str, Tensor]) -> None:
    buckets_LS = position_buckets(201, 32, 128)
    ahead_S, expected_S = oracle["relative_position.delta_key_minus_query"], oracle["relative_position.bucket"]
    behind = buckets_LS[200, (200 + ahead_S[ahead_S <= 0])]
    ahead = buckets_LS[0, ahead_S[ahead_S >= 0]]
    assert torch.equal(torch.cat([behind, ahead[1:]]), expected_S)


def test_padding_changes_no_row_of_a_token(tiny: Umt5) -> None:
    ids = torch.randint(1, 320, (1, 9), generator=torch.Generator().manual_seed(1))
    alone = tiny(ids, torch.ones_like(ids, dtype=torch.bool))
    padded = tiny(torch.cat([ids, torch.full((1, 5), 7)], dim=1), torch.arange(14)[None] < 9)
    assert torch.allclose(alone, padded[:, :9], atol=1e-6)


def test_the_published_size() -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in Umt5(UMT5_XXL).parameters()) == 5_680_910_336


@pytest.mark.parametrize("wrong", [{"num_heads": 5}, {"num_buckets": 30}, {"max_distance": 8}])
def test_sizes_that_do_not_divide_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        Umt5Config(**wrong)  # type: ignore[arg-type]


# ---------------------------------------------------------------- from words


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def encoder(tiny: Umt5, tokenizer_file: Path) -> Umt5TextEncoder:
    return Umt5TextEncoder(tiny, Umt5Tokenizer(tokenizer_file, UMT5_TINY.num_tokens)).eval()


def test_every_text_has_one_shape_and_zeros_behind_its_tokens(encoder: Umt5TextEncoder) -> None:
    texts = ["", "she smiles", "他笑了", "she nods " * 40]
    rows = encoder.encode(texts)
    assert rows.shape == (4, encoder.num_tokens, encoder.width) == (4, 24, 32)
    used = [int(row.any(dim=-1).sum()) for row in rows]
    assert used[0] == 1 < used[1] < 24 == used[3]
    assert not rows[1, used[1] :].any()
    assert torch.isfinite(rows).all()


def test_a_text_has_the_same_rows_in_any_company(encoder: Umt5TextEncoder) -> None:
    alone, together = encoder.encode(["she smiles"]), encoder.encode(["she smiles and nods 他笑了", "she smiles"])
    assert torch.allclose(alone[0], together[1], atol=1e-6)


def test_a_long_text_keeps_its_end(tokenizer_file: Path) -> None:
    ids, is_token = Umt5Tokenizer(tokenizer_file, 6)(["she nods " * 9, "she"])
    assert ids.shape == (2, 6)
    assert ids[0, -1] == 1
    assert is_token.sum(dim=1).tolist() == [6, 2]
    assert ids[1, 2:].tolist() == [0] * 4


def test_words_are_cleaned_as_wan_cleans_them(encoder: Umt5TextEncoder) -> None:
    assert clean_text("  she\n\tsmiles &amp;amp; nods ") == "she smiles & nods"
    assert clean_text("cafÃ©") == "café"  # UTF-8 that somebody read as Latin-1
    assert torch.equal(encoder.encode(["she  smiles\n"]), encoder.encode(["she smiles"]))


def test_the_same_numbers_as_transformers_tokenizer(tokenizer_file: Path) -> None:
    transformers: Any = pytest.importorskip("transformers", reason="pip install lpm-studio[peers]")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), pad_token="<pad>")
    texts = ["she smiles", "他笑了 and nods & é unknown", ""]
    encoded = theirs(texts, padding="longest", truncation=True, max_length=24, return_tensors="pt")
    ids, is_token = Umt5Tokenizer(tokenizer_file, 24)(texts)
    assert torch.equal(ids, encoded.input_ids)
    assert torch.equal(is_token, encoded.attention_mask.bool())


@pytest.mark.parametrize("content", ["", "{}", "no json"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    pytest.importorskip("tokenizers", reason='pip install "lpm-studio[umt5]"')
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(BadPackError, match="is not a tokenizer"):
        Umt5Tokenizer(path, 8)
