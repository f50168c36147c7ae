#!/usr/bin/env python3
"""How fast the relay publishes events to JetStream, and how soon after its commit a consumer receives an event.

Starts a private Postgres with fsync on and a private nats-server with nats/nats-server.conf (which flushes every
write), fills the event store and lets the relay publish it. Then, with a new database and a new stream, creates jobs at
a steady rate and waits for each at a consumer. Measures the parts of the way by themselves too: the commit, reading the
feed, and storing a message in the stream. Prints each round and, as its last lines, the medians and the time of a
disk flush:

    relay_events_per_second: …
    relay_commit_to_consumer_p50_ms: …
    relay_commit_to_consumer_p99_ms: …
    disk_flush_p99_ms: …

The benchmark is built with the development profile (not optimized), for which the dependencies are already compiled, so
an optimized program is faster.

Usage: benches/relay.py [--events 10000] [--rate 50] [--seconds 15] [--rounds 3] [--smoke]
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

import environment
from append_vs_pgbench import Postgres
from environment import ROOT

# Bytes per write in the flush measurement: about one event.
FLUSH_BYTES = 1024
FLUSHES = 400


class Nats:
    """A private nats-server that flushes every write."""

    def __init__(self, directory: pathlib.Path) -> None:
        program = shutil.which("nats-server")
        if program is None:
            raise SystemExit("nats-server was not found: `make setup` installs it")
        directory.mkdir()
        with socket.socket() as free, socket.socket() as monitor:
            free.bind(("127.0.0.1", 0))
            monitor.bind(("127.0.0.1", 0))
            self.port, watch = free.getsockname()[1], monitor.getsockname()[1]
        config = ROOT / "nats/nats-server.conf"
        command = [program, "-c", config, "-sd", directory, "-p", str(self.port), "-m", str(watch)]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("nats-server did not accept connections within 20 s")

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait()


def flushes(directory: pathlib.Path) -> list[float]:
    """Durations of single flushes of an appended block, in milliseconds, sorted."""
    took = []
    with open(directory / "flushes", "wb", buffering=0) as file:
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
    parser.add_argument("--events", type=int, default=10_000, help="events published in a round")
    parser.add_argument("--rate", type=int, default=50, help="events per second while latency is measured")
    parser.add_argument("--seconds", type=int, default=15, help="length of a latency round, in seconds")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; the medians are printed")
    parser.add_argument("--smoke", action="store_true", help="only try the benchmark, for a few seconds")
    arguments = parser.parse_args()
    environment.load()
    if arguments.smoke:
        arguments.events, arguments.rate, arguments.seconds, arguments.rounds = 640, 20, 1, 1
    program = environment.built("relay", "--profile", "dev")
    rates, p50s, p99s, flush_p99s = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-", ignore_cleanup_errors=True) as name:
        directory = pathlib.Path(name)
        store = directory / "postgres"
        store.mkdir()
        directory.chmod(0o755)
        postgres = Postgres(store)
        try:
            for number in range(arguments.rounds):
                took = flushes(directory)
                flush_p99s.append(percentile(took, 99))
                print(f"flush p50_ms {percentile(took, 50):.2f} p99_ms {percentile(took, 99):.2f}", flush=True)
                line = run(program, postgres, directory, f"throughput{number}", "throughput", arguments.events)
                print(line, flush=True)
                rates.append(float(re.search(r"events_per_s (\d+)", line).group(1)))
                latency = "latency", arguments.rate, arguments.seconds
                line = run(program, postgres, directory, f"latency{number}", *latency)
                print(line, flush=True)
                p50, p99 = re.search(r"commit_to_consumer .*p50_ms ([\d.]+) p99_ms ([\d.]+)", line).groups()
                p50s.append(float(p50))
                p99s.append(float(p99))
        finally:
            postgres.stop()
    print(f"relay_events_per_second: {statistics.median(rates):.0f}")
    print(f"relay_commit_to_consumer_p50_ms: {statistics.median(p50s):.2f}")
    print(f"relay_commit_to_consumer_p99_ms: {statistics.median(p99s):.2f}")
    print(f"disk_flush_p99_ms: {statistics.median(flush_p99s):.2f}")


def run(program, postgres, directory, name, *arguments) -> str:
    """One round with a new database and a new stream."""
    nats = Nats(directory / name)
    try:
        variables = os.environ | {
            "DATABASE_URL": postgres.new_database(name),
            "NATS_URL": f"nats://127.0.0.1:{nats.port}",
        }
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
        return done.stdout.strip()
    finally:
        nats.stop()


if __name__ == "__main__":
    main()
