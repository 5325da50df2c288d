"""The set-up's decisions: when it is done again, what torch is pinned, what is missing; nothing is installed here."""

import ast
import sys
from pathlib import Path

import pytest

import environment
import system_packages
import verbs
from console import SetupError

ROOT = Path(__file__).resolve().parents[2]


def _checkout(folder: Path) -> Path:
    (folder / "installer").mkdir(parents=True)
    (folder / "installer" / "bootstrap.py").write_text("pass\n")
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "constraints.txt").write_text("torch==1.2.3\n")
    return folder


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt", "installer/bootstrap.py"])
def test_a_change_of_what_is_installed_calls_for_a_new_set_up(tmp_path: Path, changed: str) -> None:
    checkout = _checkout(tmp_path / "lpm")
    before = environment.fingerprint_of(checkout)
    assert environment.fingerprint_of(checkout) == before
    (checkout / changed).write_text("# changed\n")
    assert environment.fingerprint_of(checkout) != before


def test_a_stamp_holds_until_something_is_missing_that_was_there() -> None:
    stamp: dict[str, object] = {"fingerprint": "abc", "done_without": ["libGL.so.1"]}
    assert environment.is_ready(stamp, "abc", [])
    assert environment.is_ready(stamp, "abc", ["libGL.so.1"])
    assert not environment.is_ready(stamp, "abc", ["libEGL.so.1"])
    assert not environment.is_ready(stamp, "other", [])
    assert not environment.is_ready({}, "abc", [])


def test_torch_is_pinned_once_in_the_constraints_of_this_checkout() -> None:
    assert environment.pinned_torch((ROOT / "constraints.txt").read_text()).count(".") == 2
    with pytest.raises(SetupError):
        environment.pinned_torch("numpy==2.0\n")
    with pytest.raises(SetupError):
        environment.pinned_torch("torch==1.0\ntorch==2.0\n")


def test_pip_is_called_only_with_the_constraints() -> None:
    for path in (ROOT / "installer").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            words = (
                [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)] if isinstance(node, ast.List) else []
            )
            if "pip" in words and "install" in words:
                assert "-c" in words, f"{path.name} line {node.lineno}"


def test_pip_never_sees_settings_that_lead_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "kept")
    child = environment.child_environment(OMP_NUM_THREADS="1")
    assert "PIP_USER" not in child and "PYTHONPATH" not in child
    assert child["PIP_INDEX_URL"] == "kept" and child["OMP_NUM_THREADS"] == "1"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems need no packages of the system")
def test_what_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = system_packages.SystemPackage(
        probe="libnowhere_at_all.so.9", debian="libnowhere9", fedora="nowhere", arch="nowhere", purpose="nothing"
    )
    present = system_packages.SystemPackage(
        probe="/", debian="base-files", fedora="filesystem", arch="filesystem", purpose="a root"
    )
    monkeypatch.setattr(system_packages, "PACKAGES", (absent, present))
    assert system_packages.missing_packages() == (absent,)


def test_without_the_right_to_install_the_command_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_packages, "_root_prefix", lambda: None)
    assert system_packages.install_debian_packages(["libegl1", "libgl1"]) is False
    assert "sudo apt-get install libegl1 libgl1" in capsys.readouterr().err


def test_there_is_a_sample_project_to_start_with() -> None:
    assert verbs.sample_project().suffix == ".lpm"


def test_an_unknown_verb_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        verbs.main(["dance"])
    assert stopped.value.code == 2
