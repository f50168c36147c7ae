#!/usr/bin/env python3
"""Starts every benchmark with the smallest size that does real work, and checks that it prints its figures.

The figures themselves mean nothing: too little is measured. A benchmark that needs packages which cannot be installed here
says so and is left out.

Usage: benches/smoke.py [NAME …]
"""

import pathlib
import re
import subprocess
import sys
import time

from environment import SKIPPED

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_SECONDS = 300
# The last lines of each, up to their colons.
FIGURES = {
    "append_vs_pgbench": ("append_vs_pgbench_256", "append_vs_pgbench"),
    "relay": ("relay_commit_to_consumer_p50_ms", "relay_commit_to_consumer_p99_ms", "disk_flush_p99_ms"),
    "scaling": ("scaling_2_workers",),
    "quality": ("wer_ours", "wer_faster_whisper", "wer_faster_whisper_batched"),
    "real_speech": ("speed_real_vs_best", "rss_real_vs_best"),
    "speed": ("speed_vs_faster_whisper_tiny", "rss_vs_faster_whisper_tiny"),
}


def missing_figures(printed: str, names: tuple[str, ...]) -> list[str]:
    """The figures that are not the last lines, each with a number."""
    last = printed.strip().splitlines()[-len(names):]
    return [name for name, line in zip(names, last + [""] * len(names)) if not re.fullmatch(rf"{name}: \d+(\.\d+)?", line)]


def try_out(name: str) -> bool:
    started = time.monotonic()
    command = [sys.executable, HERE / f"{name}.py", "--smoke"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{name}: did not end within {TIMEOUT_SECONDS} s")
        return False
    took = f"{time.monotonic() - started:.0f} s"
    if done.returncode == SKIPPED:
        print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}")
        return True
    missing = missing_figures(done.stdout, FIGURES[name])
    if done.returncode or missing:
        print(f"{name}: failed after {took} (exit code {done.returncode}; without {', '.join(missing)}):")
        print(done.stdout, done.stderr, sep="\n")
        return False
    print(f"{name}: prints its figures, {took}", flush=True)
    return True


def main() -> None:
    tried = [try_out(name) for name in sys.argv[1:] or FIGURES]
    raise SystemExit(0 if all(tried) else 1)


if __name__ == "__main__":
    main()
