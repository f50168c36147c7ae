#!/usr/bin/env python3
"""How fast the relay carries events to JetStream, and how soon after its commit a consumer has one.

Starts a private Postgres with fsync on and a private nats-server with nats/nats-server.conf (every write flushed), fills
the store and lets the relay carry it over; then, in fresh ones, creates jobs at a steady rate and waits for each at a
consumer. Prints each round and, as its last lines, the medians beside what a flush of this disk takes:

    relay_events_per_second: …
    relay_commit_to_consumer_p50_ms: …
    relay_commit_to_consumer_p99_ms: …
    disk_flush_p99_ms: …

The program is built in the development profile (not optimised), because in another one CTranslate2 would be compiled
anew: the figures are on the low side.

Usage: benches/relay.py [--events 10000] [--rate 50] [--seconds 15] [--rounds 3]
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from append_vs_pgbench import ROOT, Postgres

# Bytes of one write of the flush loop: about one event.
FLUSH_BYTES = 1024
FLUSHES = 400


def build() -> pathlib.Path:
    command = ["cargo", "bench", "--profile", "dev", "-p", "ytcaption-workers", "--bench", "relay", "--no-run"]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    path = re.search(r"Executable .*\((.+)\)", done.stderr)
    if done.returncode != 0 or path is None:
        raise SystemExit(done.stderr)
    return ROOT / path.group(1)


class Nats:
    """A private nats-server that flushes every write."""

    def __init__(self, folder: pathlib.Path) -> None:
        program = shutil.which("nats-server")
        if program is None:
            raise SystemExit("nats-server was not found: `make setup` installs it")
        folder.mkdir()
        with socket.socket() as free, socket.socket() as monitor:
            free.bind(("127.0.0.1", 0))
            monitor.bind(("127.0.0.1", 0))
            self.port, watch = free.getsockname()[1], monitor.getsockname()[1]
        command = [program, "-c", ROOT / "nats/nats-server.conf", "-sd", folder, "-p", str(self.port), "-m", str(watch)]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("nats-server does not start")

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait()


def flushes(folder: pathlib.Path) -> list[float]:
    """Milliseconds that single flushes of an appended block take, sorted."""
    took = []
    with open(folder / "flushes", "wb", buffering=0) as file:
        for _ in range(FLUSHES):
            file.write(b"x" * FLUSH_BYTES)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1e3)
    return sorted(took)


def percentile(values: list[float], percent: int) -> float:
    return values[(len(values) - 1) * percent // 100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="events carried over in a round")
    parser.add_argument("--rate", type=int, default=50, help="events a second while latency is measured")
    parser.add_argument("--seconds", type=int, default=15, help="length of a round of latency")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians are quoted")
    arguments = parser.parse_args()
    program = build()
    rates, p50s, p99s, flush_p99s = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        store = folder / "postgres"
        store.mkdir()
        folder.chmod(0o755)
        postgres = Postgres(store)
        try:
            for number in range(arguments.rounds):
                took = flushes(folder)
                flush_p99s.append(percentile(took, 99))
                print(f"flush p50_ms {percentile(took, 50):.2f} p99_ms {percentile(took, 99):.2f}", flush=True)
                line = run(program, postgres, folder, f"throughput{number}", "throughput", arguments.events)
                print(line, flush=True)
                rates.append(float(re.search(r"events_per_s (\d+)", line).group(1)))
                line = run(program, postgres, folder, f"latency{number}", "latency", arguments.rate, arguments.seconds)
                print(line, flush=True)
                p50, p99 = re.search(r"p50_ms ([\d.]+) p99_ms ([\d.]+)", line).groups()
                p50s.append(float(p50))
                p99s.append(float(p99))
        finally:
            postgres.stop()
    print(f"relay_events_per_second: {statistics.median(rates):.0f}")
    print(f"relay_commit_to_consumer_p50_ms: {statistics.median(p50s):.2f}")
    print(f"relay_commit_to_consumer_p99_ms: {statistics.median(p99s):.2f}")
    print(f"disk_flush_p99_ms: {statistics.median(flush_p99s):.2f}")


def run(program, postgres, folder, name, *words) -> str:
    """One round between a fresh database and a fresh stream."""
    nats = Nats(folder / name)
    try:
        environment = os.environ | {
            "DATABASE_URL": postgres.new_database(name),
            "NATS_URL": f"nats://127.0.0.1:{nats.port}",
        }
        command = [program, *map(str, words)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()
    finally:
        nats.stop()


if __name__ == "__main__":
    main()
