"""The house rules that no linter holds: sizes, names, what may never be called, and that nothing tells of one machine.

Run by pytest with everything else. Each rule is a function from source text to complaints, and each is shown to be able to fail.
"""

import ast
import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("engine", "studio", "training", "installer")
MAX_FILE_LINES: Final = 500
MAX_FUNCTION_LINES: Final = 60
MEANINGLESS_NAMES: Final = frozenset(
    {"util", "utils", "common", "base", "helper", "helpers", "misc", "manager", "managers"}
)
UNSAFE_MODULES: Final = frozenset({"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"})
CONFIG_NAMES: Final = frozenset({"config", "cfg", "settings", "args", "options"})
TEXT_SUFFIXES: Final = frozenset(
    {".py", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".cfg", ".ini", ".sh", ".qss", ".svg", ""}
)
ONE_MACHINE: Final = re.compile(
    r"(?<![\w.])(/wor" + r"k/|/hom" + r"e/[a-z]|/roo" + r"t/[a-z.]|/User" + r"s/[A-Za-z])|[A-Z]:\\User" + r"s\\"
)

Rule = Callable[[ast.Module, str], Iterator[str]]


def _python_files() -> list[Path]:
    folders = (ROOT / package for package in (*PACKAGES, "tests"))
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def _product_files() -> list[Path]:
    return [path for path in _python_files() if path.relative_to(ROOT).parts[0] in PACKAGES]


@functools.cache
def _parsed(path: Path) -> tuple[ast.Module, str]:
    source = path.read_text(encoding="utf-8")
    return ast.parse(source), source


def _called_name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def file_length(module: ast.Module, source: str) -> Iterator[str]:
    """A file that is longer than 500 lines holds more than one thing."""
    num_lines = source.count("\n")
    if num_lines > MAX_FILE_LINES:
        yield f"{num_lines} lines, {MAX_FILE_LINES} at most"


def function_length(module: ast.Module, source: str) -> Iterator[str]:
    """A function that does not fit on a screen does more than one thing."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if num_lines > MAX_FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {num_lines} lines, {MAX_FUNCTION_LINES} at most"


def module_docstring(module: ast.Module, source: str) -> Iterator[str]:
    """Each file says what it is."""
    if not (ast.get_docstring(module) or "").strip():
        yield "no module docstring"


def no_print(module: ast.Module, source: str) -> Iterator[str]:
    """Only the command line talks to the terminal."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _called_name(node) == "print":
            yield f"line {node.lineno}: print"


def nothing_unsafe(module: ast.Module, source: str) -> Iterator[str]:
    """A file from elsewhere can never run code: no pickle in any form, no eval, no shell."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            imported = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported = {(node.module or "").split(".")[0]}
        else:
            imported = set()
        for name in sorted(imported & UNSAFE_MODULES):
            yield f"line {node.lineno}: imports {name}"  # type: ignore[attr-defined]
        if isinstance(node, ast.Call):
            yield from _unsafe_call(node)


def _unsafe_call(call: ast.Call) -> Iterator[str]:
    name = _called_name(call)
    keywords = {word.arg: word.value for word in call.keywords}
    if name in {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}:
        yield f"line {call.lineno}: {name}(...)"
    if _is_constant(keywords.get("shell"), True):
        yield f"line {call.lineno}: shell=True"
    if _is_constant(keywords.get("allow_pickle"), True):
        yield f"line {call.lineno}: allow_pickle=True"
    if name == "torch.load" and not _is_constant(keywords.get("weights_only"), True):
        yield f"line {call.lineno}: torch.load without weights_only=True"


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def no_config_defaults(module: ast.Module, source: str) -> Iterator[str]:
    """`getattr(config, name, default)` swallows misspellings; a config is a dataclass and has what it has."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _called_name(node) == "getattr" and len(node.args) == 3:
            owner = ast.unparse(node.args[0]).split(".")[-1]
            if owner in CONFIG_NAMES or owner.endswith("_config"):
                yield f"line {node.lineno}: getattr({owner}, ...) with a default"


def import_defines_names_only(module: ast.Module, source: str) -> Iterator[str]:
    """Importing a module does nothing but define names: no bare call, no loop, no folder made."""
    allowed = (
        ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If, ast.Try,
    )  # fmt: skip
    for node in module.body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not isinstance(node, allowed) and not is_text:
            yield f"line {node.lineno}: {type(node).__name__} runs when the module is imported"


def config_is_frozen(module: ast.Module, source: str) -> Iterator[str]:
    """A config never changes after it was checked."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Recipe")):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if any(text.startswith("dataclass") for text in decorators) and not any(
                "frozen=True" in t for t in decorators
            ):
                yield f"line {node.lineno}: {node.name} is not frozen"


def asserts_something(module: ast.Module, source: str) -> Iterator[str]:
    """A test that cannot fail is a defect: it must assert, expect an error or wait for something."""
    proofs = ("assert", "raises", "warns", "wait", "check", "expect", "fail")
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            asserts = any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
            calls = [_called_name(inner) for inner in ast.walk(node) if isinstance(inner, ast.Call)]
            if not asserts and not any(proof in name.split(".")[-1].lower() for name in calls for proof in proofs):
                yield f"line {node.lineno}: {node.name} asserts nothing"


def _may_print(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    return relative.parts[0] == "installer" or (relative.name == "__main__.py" and len(relative.parts) == 2)


def _complaints(rule: Rule, files: list[Path]) -> list[str]:
    found = []
    for path in files:
        found += [f"{path.relative_to(ROOT)}: {text}" for text in rule(*_parsed(path))]
    return found


PRODUCT_RULES: Final[tuple[Rule, ...]] = (
    function_length,
    module_docstring,
    nothing_unsafe,
    no_config_defaults,
    import_defines_names_only,
    config_is_frozen,
)


@pytest.mark.parametrize("rule", PRODUCT_RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps_the_rule(rule: Rule) -> None:
    assert _complaints(rule, _product_files()) == []


@pytest.mark.parametrize("rule", (file_length, function_length), ids=lambda rule: rule.__name__)
def test_sizes_hold_in_tests_too(rule: Rule) -> None:
    assert _complaints(rule, _python_files()) == []


def test_print_is_left_to_the_command_line() -> None:
    assert _complaints(no_print, [path for path in _product_files() if not _may_print(path)]) == []


def test_every_test_can_fail() -> None:
    tests = [path for path in _python_files() if path.name.startswith("test_")]
    assert _complaints(asserts_something, tests) == []


def test_files_are_named_for_what_they_hold() -> None:
    assert [path for path in _product_files() if path.stem in MEANINGLESS_NAMES] == []


def one_machine_lines(text: str) -> list[str]:
    """The lines that name a place on one person's machine."""
    return [line.strip() for line in text.splitlines() if ONE_MACHINE.search(line)]


def _committed_texts() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return _python_files()
    listing = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listing.split("\0") if name]
    return [path for path in paths if path.suffix.lower() in TEXT_SUFFIXES and path.is_file()]


def test_nothing_committed_tells_of_one_machine() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in _committed_texts()
        if (lines := one_machine_lines(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


LONG_FUNCTION: Final = "def long_one():\n" + "    number = 1\n" * MAX_FUNCTION_LINES

BROKEN_EXAMPLES: Final[tuple[tuple[Rule, str], ...]] = (
    (file_length, "x = 1\n" * (MAX_FILE_LINES + 1)),
    (function_length, LONG_FUNCTION),
    (module_docstring, "x = 1\n"),
    (module_docstring, '"""  """\n'),
    (no_print, "def f():\n    print('hello')\n"),
    (nothing_unsafe, "import pickle\n"),
    (nothing_unsafe, "from joblib import load\n"),
    (nothing_unsafe, "eval('1')\n"),
    (nothing_unsafe, "subprocess.run('ls', shell=True)\n"),
    (nothing_unsafe, "np.load(path, allow_pickle=True)\n"),
    (nothing_unsafe, "torch.load(path)\n"),
    (nothing_unsafe, "torch.load(path, weights_only=False)\n"),
    (no_config_defaults, "getattr(self.config, 'width', 3)\n"),
    (no_config_defaults, "getattr(model_config, 'width', 3)\n"),
    (import_defines_names_only, "folder.mkdir()\n"),
    (import_defines_names_only, "for name in names:\n    pass\n"),
    (config_is_frozen, "@dataclass(kw_only=True)\nclass ModelConfig:\n    width: int\n"),
    (asserts_something, "def test_nothing():\n    run()\n"),
)

SOUND_EXAMPLE: Final = '''"""What it is."""

import logging

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    width: int


def load(path):
    model.eval()
    return torch.load(path, weights_only=True), getattr(module, "size", None), re.compile("a")


def test_load():
    assert load("x")
'''


@pytest.mark.parametrize(("rule", "broken"), BROKEN_EXAMPLES)
def test_each_rule_can_fail(rule: Rule, broken: str) -> None:
    assert list(rule(ast.parse(broken), broken)) != []


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in BROKEN_EXAMPLES), ids=lambda rule: rule.__name__)
def test_no_rule_minds_sound_code(rule: Rule) -> None:
    assert list(rule(ast.parse(SOUND_EXAMPLE), SOUND_EXAMPLE)) == []


@pytest.mark.parametrize(
    "line", ["see /hom" + "e/ann/x", "C:\\User" + "s\\ann", "/roo" + "t/.cache", "/User" + "s/ann/film"]
)
def test_a_place_on_one_machine_is_found(line: str) -> None:
    assert one_machine_lines(f"fine\n{line}\nfine") == [line]


def test_addresses_in_general_are_no_places_on_one_machine() -> None:
    assert one_machine_lines("https://example.org/home/page /usr/share /etc/os-release ~/films") == []
