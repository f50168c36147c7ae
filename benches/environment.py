"""The environment of the benchmarks: the variables of scripts/env.sh, what cargo builds, and the virtual environment."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# faster-whisper, with which others are compared, and what the synthesis of speech needs.
PEER_DIRECTORY, PEER_PACKAGES = "bench-peer", ("faster-whisper==1.2.1", "scipy==1.17.1")
# Exit code of a benchmark that needs something that cannot be installed here (that of automake and meson).
SKIPPED = 77


def load() -> None:
    """Sets the variables of scripts/env.sh, so that a benchmark can be started from any shell."""
    script = '. "$0" && env -0'
    printed = subprocess.run(["bash", "-c", script, ROOT / "scripts/env.sh"], check=True, stdout=subprocess.PIPE).stdout
    os.environ.update(line.split("=", 1) for line in os.fsdecode(printed).split("\0") if line)


def program() -> pathlib.Path:
    """The program that `make build` has built."""
    return pathlib.Path(os.environ["CARGO_TARGET_DIR"]) / "debug/ytcaption"


def built(bench: str, *profile: str) -> pathlib.Path:
    """The program of a benchmark in Rust. It is built of what the program and the tests are built of (`make test`)."""
    features = os.environ["YTCAPTION_FEATURES"].split()
    command = ["cargo", "bench", "--locked", *profile, "--workspace", *features, "--bench", bench, "--no-run"]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    path = re.search(r"Executable .*\((.+)\)", done.stderr)
    if done.returncode != 0 or path is None:
        raise SystemExit(done.stderr)
    return ROOT / path.group(1)


def cache_directory(name: str) -> pathlib.Path:
    return pathlib.Path(os.environ["YTCAPTION_CACHE"]) / name


def peer_directory() -> pathlib.Path:
    return cache_directory(PEER_DIRECTORY)


def peer_python() -> pathlib.Path:
    """The interpreter of a virtual environment with faster-whisper; it is created if it is missing or outdated."""
    return python_in(peer_directory(), PEER_PACKAGES, " ".join(PEER_PACKAGES))


def pinned_python(directory: pathlib.Path, requirements: pathlib.Path) -> pathlib.Path:
    """The same, with the packages of a file that pins each of them, and what it needs, by its hash."""
    arguments = ("--no-deps", "--require-hashes", "--requirement", str(requirements))
    return python_in(directory, arguments, requirements.read_text())


def python_in(directory: pathlib.Path, packages: tuple[str, ...], wanted: str) -> pathlib.Path:
    python, installed = directory / "bin/python", directory / "installed"
    if not installed.exists() or installed.read_text() != wanted:
        try:
            subprocess.run([creator(), "-m", "venv", "--clear", directory], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(packages)} cannot be installed here, and nothing is compared: {error}", file=sys.stderr)
            raise SystemExit(SKIPPED) from None
        installed.write_text(wanted)
    return python


def creator() -> str:
    """A Python that can create virtual environments; `make setup` installs one."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise SystemExit("this Python cannot create virtual environments: run `make setup`, which installs python3-venv")
