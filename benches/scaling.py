#!/usr/bin/env python3
"""Speed-up of one long job with two transcription workers instead of one.

Runs the whole system, each role as a process of its own, with a private Postgres (fsync on) and a private
nats-server, alternating between one and two transcription workers of one thread each, on one audio file of synthetic
speech. Measures the time between the events AudioDownloaded and JobCompleted of the job. Both runs must produce the same
text. Prints each run and, as its last line, the median ratio of all rounds: `scaling_2_workers: <ratio>`.

Needs the built program (`make build`), Postgres, nats-server, espeak-ng and ffmpeg (`make setup`).

Usage: benches/scaling.py [PROGRAM] [--minutes 60] [--rounds 2] [--model DIRECTORY] [--smoke]
"""

import argparse
import base64
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

import environment
from append_vs_pgbench import Postgres
from environment import ROOT

SPOKEN_SENTENCES = 40
SILENCE_SECONDS = 0.8
START_TIMEOUT_SECONDS = 60
MASTER_KEY_BYTES = 32
LOG_LINES_SHOWN = 5  # of each role
# All roles except the transcription workers.
OTHER_ROLES = (["serve"], ["relay"], ["project"], ["worker", "download"])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def make_audio(directory: pathlib.Path, minutes: float) -> pathlib.Path:
    """Sentences that the demo model knows, each followed by silence, repeated for this number of minutes."""
    lines = (ROOT / "models/demo/heldout.jsonl").read_text().splitlines()
    sentences = [spoken for spoken in map(json.loads, lines) if spoken["language"] == "en"][:SPOKEN_SENTENCES]
    pieces = []
    for number, spoken in enumerate(sentences):
        piece = directory / f"{number}.wav"
        voice = ["-v", spoken["voice"], "-s", str(spoken["speed"]), "-p", str(spoken["pitch"])]
        subprocess.run(["espeak-ng", *voice, "-w", piece, spoken["text"]], check=True)
        pieces.append(piece)
    inputs = [word for piece in pieces for word in ("-i", str(piece))]
    padded = "".join(f"[{n}:a]apad=pad_dur={SILENCE_SECONDS}[p{n}];" for n in range(len(pieces)))
    joined = "".join(f"[p{n}]" for n in range(len(pieces))) + f"concat=n={len(pieces)}:v=0:a=1"
    once, whole = directory / "once.flac", directory / "speech.flac"
    ffmpeg = ["ffmpeg", "-v", "error", "-nostdin"]
    subprocess.run([*ffmpeg, *inputs, "-filter_complex", padded + joined, "-ar", "16000", once], check=True)
    subprocess.run([*ffmpeg, "-stream_loop", "-1", "-i", once, "-t", str(minutes * 60), whole], check=True)
    return whole


class System:
    """A running system without transcription workers."""

    def __init__(self, program: pathlib.Path, directory: pathlib.Path, database: str, nats: str, model: pathlib.Path):
        self.program, self.directory, self.model = program, directory, model
        self.api = f"127.0.0.1:{free_port()}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("YTCAPTION_", "OTEL_"))}
        self.environment = inherited | {
            "DATABASE_URL": database,
            "NATS_URL": nats,
            "YTCAPTION_ENCRYPTION__MASTER_KEY": base64.b64encode(os.urandom(MASTER_KEY_BYTES)).decode(),
            "YTCAPTION_TRANSCRIPTION__THREADS": "1",
            "YTCAPTION_TRANSCRIPTION__CONCURRENCY": "1",
        }
        self.other_roles = [self.start(*role) for role in OTHER_ROLES]
        self.wait(lambda: self.responds("/health/ready"), "the API is ready")

    def start(self, *role: str) -> subprocess.Popen:
        options = ["--data-dir", str(self.directory / "data")]
        options += ["--listen", self.api] if role == ("serve",) else []
        options += ["--model", str(self.model)] if role == ("worker", "transcribe") else []
        log = (self.directory / f"{'-'.join(role)}.log").open("a")
        return subprocess.Popen([self.program, *role, *options], env=self.environment, stdout=log, stderr=log)

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.api}{path}", timeout=30) as response:
            return response.read()

    def responds(self, path: str) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.get(path))
        return False

    def wait(self, condition, what: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                print(self.last_log_lines())
                raise SystemExit(f"timed out after {START_TIMEOUT_SECONDS} s, waiting until {what}; see the logs above")
            time.sleep(0.1)

    def last_log_lines(self) -> str:
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"{log.name}: {line}" for log in logs for line in log.read_text().splitlines()[-LOG_LINES_SHOWN:])

    def transcribe(self, audio: pathlib.Path, workers: int) -> tuple[float, str]:
        """Seconds that this number of workers needs for the job, and its text."""
        log = self.directory / "worker-transcribe.log"
        ready = lambda: log.read_text().count("ready for work") if log.exists() else 0
        before = ready()
        running = [self.start("worker", "transcribe") for _ in range(workers)]
        try:
            self.wait(lambda: ready() == before + workers, "the workers have loaded the model")
            submit = [self.program, "submit", audio, "--language", "en", "--api", f"http://{self.api}"]
            job_url = subprocess.run(submit, env=self.environment, check=True, capture_output=True, text=True).stdout
            path = job_url.strip().removeprefix(f"http://{self.api}")
            while (job := json.loads(self.get(path)))["status"] not in ("completed", "failed"):
                time.sleep(0.25)
            if job["status"] == "failed":
                raise SystemExit(f"the job failed: {job['error']}")
            return self.seconds(path), self.get(f"{path}/result?format=txt").decode()
        finally:
            terminate(running)

    def seconds(self, path: str) -> float:
        events = json.loads(self.get(f"{path}/events"))
        at = {event["event_type"]: datetime.datetime.fromisoformat(event["recorded_at"]) for event in events}
        return (at["JobCompleted"] - at["AudioDownloaded"]).total_seconds()


def terminate(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def main() -> None:
    environment.load()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=environment.program())
    parser.add_argument("--minutes", type=float, default=60, help="length of the audio, in minutes")
    parser.add_argument("--rounds", type=int, default=2, help="runs with each number of workers; the median ratio is printed")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/demo/model")
    parser.add_argument("--smoke", action="store_true", help="only try the benchmark, with half a minute of audio")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.minutes, arguments.rounds = 0.5, 1
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-", ignore_cleanup_errors=True) as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        (directory / "postgres").mkdir()
        audio = make_audio(directory, arguments.minutes)
        postgres, port = Postgres(directory / "postgres"), free_port()
        nats = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", directory / "nats"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        started = [nats]
        try:
            url = postgres.new_database("bench")
            system = System(arguments.program, directory, url, f"nats://127.0.0.1:{port}", arguments.model)
            started = [*system.other_roles, nats]
            ratios = [compare(system, audio, arguments.minutes) for _ in range(arguments.rounds)]
        finally:
            terminate(started)
            postgres.stop()
    print(f"scaling_2_workers: {statistics.median(ratios):.2f}")


def compare(system: System, audio: pathlib.Path, minutes: float) -> float:
    (one, text), (two, same) = (system.transcribe(audio, workers) for workers in (1, 2))
    if text != same or not text:
        raise SystemExit("the text of two workers differs from that of one, or is empty")
    times = minutes * 60 / one, minutes * 60 / two
    print(f"1 worker {one:.1f} s ({times[0]:.0f} x real time) | 2 workers {two:.1f} s ({times[1]:.0f} x) "
          f"| ratio {one / two:.2f} | {len(text.split())} words", flush=True)
    return one / two


if __name__ == "__main__":
    main()
