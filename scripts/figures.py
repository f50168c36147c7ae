"""`make figures`: measures what docs/figures.md states and prints it as Markdown.

Usage: figures.py PROGRAM
"""

import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time

import demo_video

SCRIPTS = pathlib.Path(__file__).resolve().parent
MODEL = SCRIPTS.parent / "models/demo/model"
# How often the demo's sentences are repeated in the long recording.
REPEATS = 40
KIB_PER_MB = 1000_000 / 1024


def seconds_of_demo(program: str) -> tuple[float, str]:
    """The demo's duration, and what it says about memory."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, str(SCRIPTS / "demo.py"), program], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"figures: the demo failed:\n{done.stderr}")
    held = re.search(r"held at most (\d+ MB)", done.stdout)
    return time.monotonic() - started, held.group(1) if held else "unknown"


def long_recording(folder: pathlib.Path) -> tuple[pathlib.Path, float]:
    """The demo's speech many times over, and its length in seconds."""
    speech = demo_video.make_speech(folder)
    target = folder / "long.wav"
    loop = ["ffmpeg", "-v", "error", "-stream_loop", str(REPEATS - 1), "-i", str(speech), "-c", "copy", str(target)]
    subprocess.run(loop, check=True)
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(target)]
    return target, float(subprocess.run(probe, check=True, capture_output=True, text=True).stdout)


def transcribe(program: str, recording: pathlib.Path) -> tuple[float, float, int]:
    """Seconds, peak memory in MB, and captioned sentences of one `ytcaption transcribe`."""
    command = [program, "transcribe", str(recording), "--model", str(MODEL), "--language", "en", "--format", "srt"]
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    captions = child.stdout.read()
    # wait4 measures this process alone, not ffmpeg, which it has waited for itself.
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"figures: '{' '.join(command)}' failed with status {status}")
    return time.monotonic() - started, used.ru_maxrss / KIB_PER_MB, captions.count("-->")


def main() -> None:
    program = sys.argv[1]
    seconds_of_demo(program)  # warms the file cache
    demo_s, demo_memory = seconds_of_demo(program)
    with tempfile.TemporaryDirectory() as folder:
        recording, length_s = long_recording(pathlib.Path(folder))
        took_s, peak_mb, captions = transcribe(program, recording)
    load = os.getloadavg()[0]
    print(f"Measured {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores ({platform.machine()}), load average {load:.1f}.\n")
    print("| what | measured |\n|---|---|")
    print(f"| `make demo` once built | {demo_s:.0f} s |")
    print(f"| memory of `ytcaption up` with all roles during the demo, peak (its Postgres and NATS not counted) | {demo_memory} |")
    print(f"| `ytcaption transcribe`, demo model, {length_s / 60:.1f} min of speech | {took_s:.1f} s: {length_s / took_s:.0f} times real time, {captions} captions |")
    print(f"| memory of that process, peak | {peak_mb:.0f} MB |")


if __name__ == "__main__":
    main()
