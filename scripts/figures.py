"""`make figures`: measures the first table of docs/figures.md and prints it as Markdown.

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
# Number of repeats of the demo's sentences in the long audio file.
REPEATS = 40
KIB_PER_MB = 1000_000 / 1024


def seconds_of_demo(program: str) -> tuple[float, str]:
    """The duration of the demo in seconds, and the peak memory that it prints."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, str(SCRIPTS / "demo.py"), program], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"figures: the demo failed:\n{done.stderr}")
    peak = re.search(r"peak memory of the system was (\d+ MB)", done.stdout)
    return time.monotonic() - started, peak.group(1) if peak else "unknown"


def long_audio(directory: pathlib.Path) -> tuple[pathlib.Path, float]:
    """The demo's speech, repeated, and its length in seconds."""
    speech = demo_video.make_speech(directory)
    target = directory / "long.wav"
    loop = ["ffmpeg", "-v", "error", "-stream_loop", str(REPEATS - 1), "-i", str(speech), "-c", "copy", str(target)]
    subprocess.run(loop, check=True)
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(target)]
    return target, float(subprocess.run(probe, check=True, capture_output=True, text=True).stdout)


def transcribe(program: str, audio: pathlib.Path) -> tuple[float, float, int]:
    """Seconds, peak memory in MB and number of captions of one `ytcaption transcribe`."""
    command = [program, "transcribe", str(audio), "--model", str(MODEL), "--language", "en", "--format", "srt"]
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    captions = child.stdout.read()
    # The peak is that of the largest process: ytcaption, not the ffmpeg that it has started.
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"figures: '{' '.join(command)}' failed with status {status}")
    return time.monotonic() - started, used.ru_maxrss / KIB_PER_MB, captions.count("-->")


def main() -> None:
    program = sys.argv[1]
    seconds_of_demo(program)  # warms the file cache
    demo_s, demo_memory = seconds_of_demo(program)
    with tempfile.TemporaryDirectory() as directory:
        audio, length_s = long_audio(pathlib.Path(directory))
        took_s, peak_mb, captions = transcribe(program, audio)
    load = os.getloadavg()[0]
    print(f"Measured {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores ({platform.machine()}), load average {load:.1f}.\n")
    print("| what | measured |\n|---|---|")
    print(f"| `make demo` once built | {demo_s:.0f} s |")
    print(f"| peak memory of `ytcaption up` with all roles during the demo, without its Postgres and NATS | {demo_memory} |")
    print(f"| `ytcaption transcribe`, demo model, {length_s / 60:.1f} min of speech | {took_s:.1f} s: {length_s / took_s:.0f} times real time, {captions} captions |")
    print(f"| peak memory of that process | {peak_mb:.0f} MB |")


if __name__ == "__main__":
    main()
