#!/usr/bin/env python3
"""Transcription quality, compared with faster-whisper with the same model and the same options.

Makes audio files of synthetic speech with known words and times (several voices, rates and levels of noise, hardly any
pauses and long ones, music and noise in the pauses, a long file, no speech at all) and transcribes them with
`ytcaption transcribe` and with faster-whisper. Prints for each part and system the word error rate, the number of words
hallucinated where there is no speech, and the mean error of the starts and ends of segments and words. The last lines
are totals over all parts.

Both run with the demo model, beam 5, temperature 0, voice activity detection, word timestamps, the language given, and
without previous text. The boundaries of segments are those of a second run without word timestamps, because with them
faster-whisper moves the boundaries to its words. Its batched pipeline is measured too, as a third system.

Needs espeak-ng and ffmpeg (`make setup`) and the built program (`make build`). faster-whisper is installed, from PyPI,
into a virtual environment outside of the repository on first use.

Usage: benches/quality.py [PROGRAM] [--minutes-scale 1.0] [--parts NAME,NAME] [--keep DIRECTORY]
    [--smoke]
"""

import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import environment
from environment import ROOT

SMOKE_PART, SMOKE_SCALE = "voices and rates", 0.04
OPTIONS = {"beam_size": 5, "temperature": [0.0], "condition_on_previous_text": False}
OURS, PEER, BATCHED = "ours", "faster_whisper", "faster_whisper_batched"


def restart_in_environment() -> None:
    """Runs this script again in the virtual environment, which is created if it is missing."""
    if pathlib.Path(sys.prefix) == environment.peer_directory():
        return
    python = environment.peer_python()
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def transcribe_ours(program: pathlib.Path, model: pathlib.Path, audio_files: list, options: dict) -> list[list[dict]]:
    arguments = [word for name, value in options.items() for word in ("--option", f"{name}={json.dumps(value)}")]
    transcripts = []
    for audio_file in audio_files:
        command = [program, "transcribe", audio_file.path, "--model", model, "--language", audio_file.language]
        done = subprocess.run([*command, "--format", "json", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        in_seconds = lambda item: {"start": item["start_ms"] / 1000, "end": item["end_ms"] / 1000, "text": item["text"]}
        segments = json.loads(done.stdout)["segments"]
        transcripts.append([in_seconds(s) | {"words": [in_seconds(w) for w in s.get("words", [])]} for s in segments])
    return transcripts


def transcribe_peer(model: pathlib.Path, audio_files: list, options: dict, batched: bool) -> list[list[dict]]:
    files = [(str(audio_file.path), audio_file.language) for audio_file in audio_files]
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
    hallucinated = f"hallucinated {len(score.hallucinated):3}"
    print(f"{name:18} {system:23} {rate} of {score.words:4} words | {hallucinated} | {times}", flush=True)


def main() -> None:
    environment.load()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=environment.program())
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/demo/model")
    parser.add_argument("--minutes-scale", type=float, default=1.0, help="factor for the length of every part")
    parser.add_argument("--parts", help="names of the parts to run, separated by commas; default: all")
    parser.add_argument("--keep", type=pathlib.Path, help="directory in which to keep the audio files and transcripts")
    parser.add_argument("--smoke", action="store_true", help="only try the benchmark, with a few seconds of speech")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.parts, arguments.minutes_scale = SMOKE_PART, SMOKE_SCALE
    restart_in_environment()

    from quality_audio import PARTS, make
    from quality_score import Score, score
    from speech import Synthesizer

    chosen = [part for part in PARTS if not arguments.parts or part.name in arguments.parts.split(",")]
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-") as name:
        directory = arguments.keep or pathlib.Path(name)
        directory.mkdir(parents=True, exist_ok=True)
        synthesizer = Synthesizer()
        audio_files = [make(part, directory, arguments.minutes_scale, synthesizer) for part in chosen]
        minutes = sum(audio_file.seconds for audio_file in audio_files) / 60
        print(f"{minutes:.1f} minutes of audio in {len(audio_files)} files", flush=True)
        systems = {
            OURS: functools.partial(transcribe_ours, arguments.program, arguments.model, audio_files),
            PEER: functools.partial(transcribe_peer, arguments.model, audio_files, batched=False),
            BATCHED: functools.partial(transcribe_peer, arguments.model, audio_files, batched=True),
        }
        transcripts = {
            system: [transcribe(options=OPTIONS | {"word_timestamps": words}) for words in (True, False)]
            for system, transcribe in systems.items()
        }
        if arguments.keep:
            (directory / "transcripts.json").write_text(json.dumps(transcripts))
    sums = {system: Score() for system in transcripts}
    for n, audio_file in enumerate(audio_files):
        for system, (with_words, without) in transcripts.items():
            part = score(audio_file, with_words[n], without[n])
            sums[system].add(part)
            show(audio_file.name, system, part)
            if part.hallucinated:
                print(f"{'':18} hallucinated: {', '.join(part.hallucinated[:10])}")
    for system, total in sums.items():
        show("all", system, total)
    for system, total in sums.items():
        for what in ("segment_start", "segment_end", "word_start", "word_end"):
            print(f"mean_error_ms_{what}_{system}: {total.mean_ms(getattr(total, f'{what}s')):.0f}")
        print(f"hallucinated_words_{system}: {len(total.hallucinated)}")
    for system, total in sums.items():
        print(f"wer_{system}: {total.wer:.2f}")


if __name__ == "__main__":
    main()
