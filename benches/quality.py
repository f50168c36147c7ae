#!/usr/bin/env python3
"""How well recordings are heard, beside faster-whisper with the same model and the same options.

Makes recordings of synthetic speech with known words and times (several voices, rates and levels of noise, hardly a
pause and long ones, music and noise between, a long file, no speech at all), lets `ytcaption transcribe` and
faster-whisper write them down, and prints for each part both systems' word error rate, the words they invented where
nobody speaks, and the mean error of the starts and ends of segments and words. The last lines are sums over all parts.

Both run with the demo model, beam 5, temperature 0, voice activity detection, word times, the language given, and
without previous text. The edges of segments are those of a second run without word times, because faster-whisper moves
them to its words otherwise. Its pipeline for batches is measured too, as a third system.

Needs espeak-ng and ffmpeg (`make setup`) and the built program. faster-whisper is installed, from PyPI, into a virtual
environment outside of the repository on first use.

Usage: benches/quality.py [PROGRAM] [--minutes-scale 1.0] [--parts NAME,NAME] [--keep FOLDER]
"""

import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("YTCAPTION_CACHE", pathlib.Path.home() / ".cache/ytcaption"))
ENVIRONMENT = CACHE / "bench-quality"
PACKAGES = ("faster-whisper==1.2.1", "scipy==1.17.1")
OPTIONS = {"beam_size": 5, "temperature": [0.0], "condition_on_previous_text": False}
OURS, PEER, BATCHED = "ours", "faster_whisper", "faster_whisper_batched"


def in_environment() -> None:
    """Goes on in the virtual environment, which is made when it is missing."""
    python = ENVIRONMENT / "bin/python"
    if pathlib.Path(sys.prefix) == ENVIRONMENT:
        return
    ready = ENVIRONMENT / "ready"
    if not ready.exists() or ready.read_text() != " ".join(PACKAGES):
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        ready.write_text(" ".join(PACKAGES))
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def ours(program: pathlib.Path, model: pathlib.Path, recordings: list, options: dict) -> list[list[dict]]:
    options = [word for name, value in options.items() for word in ("--option", f"{name}={json.dumps(value)}")]
    written = []
    for recording in recordings:
        command = [program, "transcribe", recording.path, "--model", model, "--language", recording.language]
        done = subprocess.run([*command, "--format", "json", *options], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        seconds = lambda item: {"start": item["start_ms"] / 1000, "end": item["end_ms"] / 1000, "text": item["text"]}
        segments = json.loads(done.stdout)["segments"]
        written.append([seconds(s) | {"words": [seconds(w) for w in s.get("words", [])]} for s in segments])
    return written


def theirs(model: pathlib.Path, recordings: list, options: dict, batched: bool) -> list[list[dict]]:
    files = [(str(recording.path), recording.language) for recording in recordings]
    arguments = {"model": str(model), "batched": batched, "options": options, "files": files}
    peer = [sys.executable, str(ROOT / "benches/quality_peer.py"), json.dumps(arguments)]
    printed = subprocess.run(peer, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def show(name: str, system: str, score) -> None:
    times = " | ".join(
        f"{what} {score.mean_ms(starts):.0f}/{score.mean_ms(ends):.0f} ms"
        for what, starts, ends in (
            ("segments", score.segment_starts, score.segment_ends), ("words", score.word_starts, score.word_ends),
        )
    )
    rate = f"wer {score.wer:5.2f} %" if score.words else "           "
    print(f"{name:18} {system:23} {rate} of {score.words:4} words | invented {len(score.invented):3} | {times}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=target / "debug/ytcaption")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/demo/model")
    parser.add_argument("--minutes-scale", type=float, default=1.0, help="length of every part, for a quick look")
    parser.add_argument("--parts", help="only these, separated by commas")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the recordings and what was written")
    arguments = parser.parse_args()
    in_environment()

    from quality_audio import PARTS, make
    from quality_score import Score, score
    from speech import Synthesizer

    chosen = [part for part in PARTS if not arguments.parts or part.name in arguments.parts.split(",")]
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-") as name:
        folder = arguments.keep or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        synthesizer = Synthesizer()
        recordings = [make(part, folder, arguments.minutes_scale, synthesizer) for part in chosen]
        minutes = sum(recording.seconds for recording in recordings) / 60
        print(f"{minutes:.1f} minutes of sound in {len(recordings)} recordings", flush=True)
        systems = {
            OURS: functools.partial(ours, arguments.program, arguments.model, recordings),
            PEER: functools.partial(theirs, arguments.model, recordings, batched=False),
            BATCHED: functools.partial(theirs, arguments.model, recordings, batched=True),
        }
        written = {
            system: [transcribe(options=OPTIONS | {"word_timestamps": words}) for words in (True, False)]
            for system, transcribe in systems.items()
        }
        if arguments.keep:
            (folder / "written.json").write_text(json.dumps(written))
    sums = {system: Score() for system in written}
    for n, recording in enumerate(recordings):
        for system, (with_words, without) in written.items():
            part = score(recording, with_words[n], without[n])
            sums[system].add(part)
            show(recording.name, system, part)
            if part.invented:
                print(f"{'':18} invented: {', '.join(part.invented[:10])}")
    for system, total in sums.items():
        show("all", system, total)
    for system, total in sums.items():
        for what in ("segment_start", "segment_end", "word_start", "word_end"):
            print(f"mean_error_ms_{what}_{system}: {total.mean_ms(getattr(total, f'{what}s')):.0f}")
        print(f"invented_words_{system}: {len(total.invented)}")
    for system, total in sums.items():
        print(f"wer_{system}: {total.wer:.2f}")


if __name__ == "__main__":
    main()
