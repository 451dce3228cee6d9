"""Ring and seqlock under the thread sanitizer, compiled from the very headers `_fast` uses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FAST = HERE.parents[1] / "dailyarb" / "_fast"


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["-O3"], ["-O1", "-g", "-fsanitize=thread", "-Wno-tsan"]])
def test_two_threads_race_without_a_data_race(tmp_path: Path, flags: list[str]) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    program = tmp_path / "races"
    command = [compiler, "-std=c++17", *flags, f"-I{FAST}", str(HERE / "races.cpp")]
    built = subprocess.run(
        [*command, "-o", str(program), "-pthread"], capture_output=True, text=True, check=False
    )
    if "cannot find -ltsan" in built.stderr or "libtsan" in built.stderr:
        pytest.skip("the compiler has no thread sanitizer")
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout + ran.stderr == "ok\n"
