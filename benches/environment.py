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


def peer_directory() -> pathlib.Path:
    return pathlib.Path(os.environ["YTCAPTION_CACHE"]) / PEER_DIRECTORY


def peer_python() -> pathlib.Path:
    """The interpreter of a virtual environment with faster-whisper; it is created if it is missing or outdated."""
    directory, packages = peer_directory(), " ".join(PEER_PACKAGES)
    python, installed = directory / "bin/python", directory / "installed"
    if not installed.exists() or installed.read_text() != packages:
        try:
            subprocess.run([creator(), "-m", "venv", "--clear", directory], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES], check=True)
        except subprocess.CalledProcessError as error:
            print(f"{packages} cannot be installed here, and nothing is compared: {error}", file=sys.stderr)
            raise SystemExit(SKIPPED) from None
        installed.write_text(packages)
    return python


def creator() -> str:
    """A Python that can create virtual environments; `make setup` installs one."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise SystemExit("this Python cannot create virtual environments: run `make setup`, which installs python3-venv")
