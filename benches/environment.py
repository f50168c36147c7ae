"""The environment of the benchmarks: the variables of scripts/env.sh, the built program, and virtual environments."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def load() -> None:
    """Sets the variables of scripts/env.sh, so that a benchmark can be started from any shell."""
    script = '. "$0" && env -0'
    printed = subprocess.run(["bash", "-c", script, ROOT / "scripts/env.sh"], check=True, stdout=subprocess.PIPE).stdout
    os.environ.update(line.split("=", 1) for line in os.fsdecode(printed).split("\0") if line)


def program() -> pathlib.Path:
    """The program that `make build` has built."""
    return pathlib.Path(os.environ["CARGO_TARGET_DIR"]) / "debug/ytcaption"


def venv_directory(name: str) -> pathlib.Path:
    return pathlib.Path(os.environ["YTCAPTION_CACHE"]) / name


def python_with(name: str, *packages: str) -> pathlib.Path:
    """The interpreter of a virtual environment with these packages; it is created if it is missing or outdated."""
    directory = venv_directory(name)
    python, installed = directory / "bin/python", directory / "installed"
    if not installed.exists() or installed.read_text() != " ".join(packages):
        subprocess.run([creator(), "-m", "venv", "--clear", directory], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        installed.write_text(" ".join(packages))
    return python


def creator() -> str:
    """A Python that can create virtual environments; `make setup` installs one."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise SystemExit("this Python cannot create virtual environments: run `make setup`, which installs python3-venv")
