#!/usr/bin/env python3
"""How much sooner one long recording is transcribed by two workers than by one.

Runs the whole system, every role a process of its own between a private Postgres (fsync on) and a private nats-server,
with one and with two transcription workers of one thread each, in alternation, on one recording of synthetic speech.
What is measured is the time from the moment the audio lies in storage to the job's end, by the times of its events.
Both must write the same text. Prints each run, and as its last line `scaling_2_workers: <ratio>`, the median over the
rounds.

Needs the built program, postgres, nats-server, espeak-ng and ffmpeg (`make setup`, `. scripts/env.sh`).

Usage: benches/scaling.py [PROGRAM] [--minutes 60] [--rounds 2] [--model FOLDER]
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

from append_vs_pgbench import ROOT, Postgres

SPOKEN_SENTENCES = 40
PAUSE_SECONDS = 0.8
START_SECONDS = 60
# Roles beside the transcription workers.
OTHERS = (["serve"], ["relay"], ["project"], ["worker", "download"])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def recording(folder: pathlib.Path, minutes: float) -> pathlib.Path:
    """Sentences the demo model knows, each after a pause, again and again."""
    lines = (ROOT / "models/demo/heldout.jsonl").read_text().splitlines()
    sentences = [spoken for spoken in map(json.loads, lines) if spoken["language"] == "en"][:SPOKEN_SENTENCES]
    pieces = []
    for number, spoken in enumerate(sentences):
        piece = folder / f"{number}.wav"
        voice = ["-v", spoken["voice"], "-s", str(spoken["speed"]), "-p", str(spoken["pitch"])]
        subprocess.run(["espeak-ng", *voice, "-w", piece, spoken["text"]], check=True)
        pieces.append(piece)
    inputs = [word for piece in pieces for word in ("-i", str(piece))]
    padded = "".join(f"[{n}:a]apad=pad_dur={PAUSE_SECONDS}[p{n}];" for n in range(len(pieces)))
    joined = "".join(f"[p{n}]" for n in range(len(pieces))) + f"concat=n={len(pieces)}:v=0:a=1"
    once, whole = folder / "once.flac", folder / "recording.flac"
    ffmpeg = ["ffmpeg", "-v", "error", "-nostdin"]
    subprocess.run([*ffmpeg, *inputs, "-filter_complex", padded + joined, "-ar", "16000", once], check=True)
    subprocess.run([*ffmpeg, "-stream_loop", "-1", "-i", once, "-t", str(minutes * 60), whole], check=True)
    return whole


class System:
    """Everything but the transcription workers."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, database: str, nats: str, model: pathlib.Path):
        self.program, self.folder, self.model = program, folder, model
        self.api = f"127.0.0.1:{free_port()}"
        unshared = {name: value for name, value in os.environ.items() if not name.startswith(("YTCAPTION_", "OTEL_"))}
        self.environment = unshared | {
            "DATABASE_URL": database,
            "NATS_URL": nats,
            "YTCAPTION_TRANSCRIPTION__THREADS": "1",
            "YTCAPTION_TRANSCRIPTION__CONCURRENCY": "1",
        }
        self.others = [self.start(*words) for words in OTHERS]
        self.wait(lambda: self.answers("/health/ready"), "the API is ready")

    def start(self, *words: str) -> subprocess.Popen:
        options = ["--data-dir", str(self.folder / "data")]
        options += ["--listen", self.api] if words == ("serve",) else []
        options += ["--model", str(self.model)] if words == ("worker", "transcribe") else []
        log = (self.folder / f"{'-'.join(words)}.log").open("a")
        return subprocess.Popen([self.program, *words, *options], env=self.environment, stdout=log, stderr=log)

    def ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.api}{path}", timeout=30) as answer:
            return answer.read()

    def answers(self, path: str) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.ask(path))
        return False

    def wait(self, is_so, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                raise SystemExit(f"after {START_SECONDS} s still not: {what}; the logs are in {self.folder}")
            time.sleep(0.1)

    def transcribe(self, audio: pathlib.Path, workers: int) -> tuple[float, str]:
        """Seconds with so many workers, and the text."""
        log = self.folder / "worker-transcribe.log"
        ready = lambda: log.read_text().count("ready for work") if log.exists() else 0
        before = ready()
        running = [self.start("worker", "transcribe") for _ in range(workers)]
        try:
            self.wait(lambda: ready() == before + workers, "the workers have loaded the model")
            submit = [self.program, "submit", audio, "--language", "en", "--api", f"http://{self.api}"]
            address = subprocess.run(submit, env=self.environment, check=True, capture_output=True, text=True).stdout
            path = address.strip().removeprefix(f"http://{self.api}")
            while (job := json.loads(self.ask(path)))["status"] not in ("completed", "failed"):
                time.sleep(0.25)
            if job["status"] == "failed":
                raise SystemExit(f"the job failed: {job['error']}")
            return self.seconds(path), self.ask(f"{path}/result?format=txt").decode()
        finally:
            end(running)

    def seconds(self, path: str) -> float:
        events = json.loads(self.ask(f"{path}/events"))
        at = {event["event_type"]: datetime.datetime.fromisoformat(event["recorded_at"]) for event in events}
        return (at["JobCompleted"] - at["AudioDownloaded"]).total_seconds()


def end(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=target / "debug/ytcaption")
    parser.add_argument("--minutes", type=float, default=60, help="length of the recording")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each; the median is quoted")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/demo/model")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "postgres").mkdir()
        audio = recording(folder, arguments.minutes)
        postgres, port = Postgres(folder / "postgres"), free_port()
        nats = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder / "nats"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        started = [nats]
        try:
            url = postgres.new_database("bench")
            system = System(arguments.program, folder, url, f"nats://127.0.0.1:{port}", arguments.model)
            started = [*system.others, nats]
            ratios = [compare(system, audio, arguments.minutes) for _ in range(arguments.rounds)]
        finally:
            end(started)
            postgres.stop()
    print(f"scaling_2_workers: {statistics.median(ratios):.2f}")


def compare(system: System, audio: pathlib.Path, minutes: float) -> float:
    (one, text), (two, same) = (system.transcribe(audio, workers) for workers in (1, 2))
    if text != same or not text:
        raise SystemExit("two workers wrote another text than one")
    times = minutes * 60 / one, minutes * 60 / two
    print(f"1 worker {one:.1f} s ({times[0]:.0f} x real time) | 2 workers {two:.1f} s ({times[1]:.0f} x) "
          f"| ratio {one / two:.2f} | {len(text.split())} words", flush=True)
    return one / two


if __name__ == "__main__":
    main()
