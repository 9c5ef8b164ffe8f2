"""The package: import contracts, lazy imports, and the dependencies of the core."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_import_contracts_hold():
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def test_the_core_works_with_numpy_and_the_standard_library_alone():
    """A GPU host has neither Textual nor the libraries of the command line, psutil, threadpoolctl or platformdirs."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"textual", "rich", "cyclopts", "psutil", "threadpoolctl", "platformdirs", "tomli_w"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import tuisim
summary = tuisim.Trainer(tuisim.RunConfig(layers=(5, 4, 3), examples=100, epochs=2)).run([].append)
assert summary.ended == "completed", summary
assert tuisim.count(summary.config).parameters == 39
import tuisim.features.compare.bench.bench, tuisim.measure.peaks
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_public_names_are_imported_lazily():
    code = (
        "import sys, tuisim; assert 'numpy' not in sys.modules; "
        "assert all(getattr(tuisim, name) is not None for name in tuisim.__all__); assert 'textual' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_a_missing_public_name_is_an_attribute_error():
    import tuisim

    with pytest.raises(AttributeError, match="nothing"):
        tuisim.nothing  # noqa: B018


def test_the_readme_is_filled_in_and_its_pictures_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not re.search(r"@[A-Z]+@", text)
    pictures = re.findall(r"\]\((screenshots/[^)]+)\)", text)
    assert pictures
    assert all((ROOT / picture).exists() for picture in pictures)
