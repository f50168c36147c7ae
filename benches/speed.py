#!/usr/bin/env python3
"""Transcription speed and memory, compared with faster-whisper on the same machine, in alternation.

Makes models of the real dimensions with random weights, and minutes of synthetic speech. Determines the fastest
settings of faster-whisper on a short file, then alternates between both systems, ours with its default settings. Both
decode the same number of tokens for the same audio, as they would with a real model: faster-whisper 100 per window (the
end token is suppressed), and ytcaption the number that makes the same total over its windows, of which there are more
because they end at silences. Both use the same beam size, no timestamps, no temperature fallback, all cores. Times are
those of whole processes, minus the time of the same process for one second of silence (starting, loading the model);
memory is the peak of the process.

faster-whisper may use its sequential or its batched pipeline, with oneDNN or MKL. It is installed, from PyPI, into a
virtual environment outside of the repository on first use. Needs the built program (`make build`), espeak-ng and ffmpeg
(`make setup`).

Usage: benches/speed.py [PROGRAM] [--sizes tiny,base,small] [--smoke]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

import environment

HERE = pathlib.Path(__file__).resolve().parent
TOKENS = 100  # per window of 30 s: speech has about three tokens per second
BEAM = 5  # the default of both
END = 50257
MEBIBYTE = 1 << 20
# The settings of faster-whisper that are tried: MKL or oneDNN, and the size of its batches (windows end at silences), 0 for
# its sequential pipeline (windows of 30 s).
SETTINGS = [{"batch_size": size, "mkl": mkl} for mkl in ("0", "1") for size in (8, 16, 4, 0)]
# A trial is stopped when it has taken this multiple of the fastest trial so far.
TRIAL_TIMEOUT_FACTOR = 1.5
TEXT = """The committee met again on Tuesday morning to go through the remaining items on the agenda, and most of them were
settled before noon. No member had expected the question of the new bridge to come up so early. The engineers explained, with
a great many slides, why the old foundations could not be used. When a member wanted to know what it would cost, there was a long
silence. In the end they agreed to wait for the second report, which is due in spring. After lunch the discussion turned to
the school. It needs a roof, it needs heating, and above all it needs teachers. Two of them leave in summer, and one has not
been replaced since last year."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: seconds of speech and number of rounds for each size, seconds of a trial, settings tried."""

    load: dict[str, tuple[int, int]]
    trial_seconds: int
    settings: list[dict]


# All sizes together take ten minutes on two cores.
FULL = Effort({"tiny": (600, 3), "base": (360, 3), "small": (240, 2)}, 90, SETTINGS)
SMOKE = Effort({"tiny": (20, 1)}, 10, SETTINGS[:1])


@dataclass
class Run:
    seconds: float
    cpu_seconds: float  # of the process and of its children
    bytes: int
    output: dict


def run(command: list[str], variables: dict[str, str], limit: float | None = None) -> Run | None:
    """Time of a process and peak memory of it or its largest child; None if it exceeds `limit` seconds."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=os.environ | variables, stdout=output, stderr=errors)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if limit and time.monotonic() - started > limit:
                process.kill()
                os.wait4(process.pid, 0)
                return None
            time.sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{errors.read().decode(errors='replace')}")
        seconds = time.monotonic() - started
        output.seek(0)
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, json.load(output))


class Ours:
    def __init__(self, program: str, model: pathlib.Path) -> None:
        self.program, self.model = program, model

    def run(self, audio: pathlib.Path, tokens: int) -> Run:
        """Transcribes with default settings, except those that fix the number of decoded tokens."""
        options = {
            "beam_size": BEAM, "max_new_tokens": tokens, "suppress_tokens": [-1, END],
            "without_timestamps": True, "temperature": [0], "compression_ratio_threshold": None,
            "log_prob_threshold": None, "no_speech_threshold": None,
        }
        given = [word for name, value in options.items() for word in ("--option", f"{name}={json.dumps(value)}")]
        command = [self.program, "transcribe", str(audio), "--model", str(self.model), "--language", "en", "--format", "json"]
        return run([*command, *given], {})

    def windows(self, audio: pathlib.Path) -> int:
        """The number of windows of a file; without timestamps each is a segment."""
        return len(self.run(audio, tokens=1).output["segments"])


class Peer:
    def __init__(self, python: str, model: pathlib.Path) -> None:
        self.python, self.model = python, model

    def best_setting(self, trial: pathlib.Path, settings: list[dict]) -> dict:
        """The fastest of these settings. Those that follow one that is much too slow are not tried."""
        best: tuple[float, dict] | None = None
        for mkl in ("0", "1"):
            for setting in (setting for setting in settings if setting["mkl"] == mkl):
                tried = self.run(trial, setting, limit=best[0] * TRIAL_TIMEOUT_FACTOR if best else None)
                result = "too slow; skipping the rest"
                if tried:
                    result = f"{tried.seconds:.1f} s, {tried.bytes / MEBIBYTE:.0f} MiB"
                print(f"  faster-whisper {setting}: {result}", flush=True)
                if tried is None:
                    break
                if best is None or tried.seconds < best[0]:
                    best = (tried.seconds, setting)
        return best[1]

    def run(self, audio: pathlib.Path, setting: dict, limit: float | None = None) -> Run | None:
        arguments = {
            "audio": str(audio), "model": str(self.model), "batch_size": setting["batch_size"], "beam_size": BEAM,
            "max_new_tokens": TOKENS, "end": END, "threads": len(os.sched_getaffinity(0)),
        }
        command = [self.python, str(HERE / "speed_peer.py"), json.dumps(arguments)]
        return run(command, {"CT2_USE_MKL": setting["mkl"]}, limit)


def speech(directory: pathlib.Path, seconds: int) -> pathlib.Path:
    """An audio file of two synthetic voices, of this length, in the format of a video site (AAC)."""
    path = directory / f"speech-{seconds}.m4a"
    voices = [directory / f"{voice}.wav" for voice in ("en-us", "en-gb")]
    for voice in voices:
        subprocess.run(["espeak-ng", "-v", voice.stem, "-s", "160", "-w", voice, TEXT], check=True)
    (directory / "list").write_text("".join(f"file '{voice}'\n" for voice in voices) * (1 + seconds // 60))
    encode = f"-f concat -safe 0 -i {directory / 'list'} -t {seconds} -ac 2 -ar 44100 -c:a aac -b:a 128k {path}"
    subprocess.run(["ffmpeg", "-v", "error", "-y", *encode.split()], check=True)
    return path


def silence(directory: pathlib.Path) -> pathlib.Path:
    path = directory / "silence.wav"
    subprocess.run(f"ffmpeg -v error -y -f lavfi -i anullsrc=r=16000:cl=mono -t 1 {path}".split(), check=True)
    return path


def compare(size: str, effort: Effort, program: str, python: pathlib.Path, directory: pathlib.Path) -> tuple[float, float, float]:
    """Median ratios: of times without loading, of times of whole processes, and of memory."""
    model = directory / size
    subprocess.run([python, HERE / "random_whisper.py", size, model], check=True)
    seconds, rounds = effort.load[size]
    long, trial, silent = speech(directory, seconds), speech(directory, effort.trial_seconds), silence(directory)
    peer, ours = Peer(str(python), model), Ours(program, model)
    print(f"{size}: trying the settings of faster-whisper on {effort.trial_seconds} s", flush=True)
    setting = peer.best_setting(trial, effort.settings)
    start = peer.run(silent, setting).seconds, ours.run(silent, TOKENS).seconds
    windows = ours.windows(long)
    times: list[tuple[float, float]] = []
    memory: list[tuple[int, int]] = []
    for _ in range(rounds):
        theirs = peer.run(long, setting)
        own = ours.run(long, tokens=round(theirs.output["tokens"] / windows))
        times.append((theirs.seconds, own.seconds))
        memory.append((theirs.bytes, own.bytes))
        print(
            f"  {seconds / 60:.1f} min: faster-whisper {theirs.seconds:.1f} s, {theirs.bytes / MEBIBYTE:.0f} MiB, "
            f"{theirs.output['windows']} windows | ytcaption {own.seconds:.1f} s ({seconds / own.seconds:.0f} times real "
            f"time), {own.bytes / MEBIBYTE:.0f} MiB, {windows} windows | {theirs.seconds / own.seconds:.2f}",
            flush=True,
        )
    print(f"  starting and loading: {start[0]:.1f} s | {start[1]:.1f} s", flush=True)
    return (
        statistics.median((theirs - start[0]) / (own - start[1]) for theirs, own in times),
        statistics.median(theirs / own for theirs, own in times),
        statistics.median(own / theirs for theirs, own in memory),
    )


def main() -> None:
    environment.load()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=str(environment.program()))
    parser.add_argument("--sizes", default="tiny,base,small", help="comma-separated")
    parser.add_argument("--smoke", action="store_true", help="only try the benchmark, with seconds of speech")
    arguments = parser.parse_args()
    effort, sizes = (SMOKE, ["tiny"]) if arguments.smoke else (FULL, arguments.sizes.split(","))
    python = environment.peer_python()
    with tempfile.TemporaryDirectory(prefix="ytcaption-speed-") as name:
        found = {size: compare(size, effort, arguments.program, python, pathlib.Path(name)) for size in sizes}
    for size, (_, whole, _) in found.items():
        print(f"with starting and loading, {size}: {whole:.2f}")
    for size, (speed, _, memory) in found.items():
        print(f"speed_vs_faster_whisper_{size}: {speed:.2f}")
        print(f"rss_vs_faster_whisper_{size}: {memory:.2f}")


if __name__ == "__main__":
    main()
