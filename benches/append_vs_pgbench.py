#!/usr/bin/env python3
"""Rate of durable commands, compared with pgbench on the same server, in alternation.

Starts a private Postgres with fsync on, then alternates between pgbench, which inserts single rows of the shape of the
events table, and our command path (create a job, through domain and event store). Prints each round, the latency of a
single caller, the time to load an aggregate, and as its last lines the median ratios for 256 and 64 callers
(`append_vs_pgbench: <ratio>` is that for 64).

Usage: benches/append_vs_pgbench.py [--seconds 5] [--rounds 3] [--smoke]
"""

import argparse
import os
import pathlib
import pwd
import re
import shutil
import statistics
import subprocess
import tempfile

import environment
from environment import ROOT

CALLERS = (64, 256)
OWNER = "ytcaption"
# The row that the command path writes for a new job, with its encrypted URL. Aggregate ids are random, so rows are
# spread over the whole index.
PGBENCH_SCRIPT = """
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
VALUES ('job', gen_random_uuid()::text, 1, 'JobCreated', '1',
 '{"type":"JobCreated","account":"local","source":{"kind":"url","url":{"encrypted_text":"RCCCPP3m8cJrMPkOx90B5Ih1NKIPCw0Ew27YDnHg/XewdnDrlAvVM1+XParYYZuR/8kR9XzO1Fi7vyzgN1PJvfoP8BadyVc="}},"options":{"kind":"transcription","language":"auto","task":"transcribe"},"priority":"normal"}',
 '{"event_id":"0199c1f0-0000-7000-8000-000000000000","occurred_at":"2026-01-02T03:04:05.000006Z","route":"normal","account":"local","actor":"client:bench","correlation_id":"00000000-0000-0000-0000-000000000007","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}');
"""


def programs() -> pathlib.Path:
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    if found:
        return found[-1].parent
    pgbench = shutil.which("pgbench")
    if pgbench is None:
        raise SystemExit("pgbench was not found: install postgresql (`make setup` does)")
    return pathlib.Path(pgbench).resolve().parent


class Postgres:
    """A private server with fsync on, which listens on a Unix socket in its own directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory, self.bin = directory, programs()
        self.as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(directory, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = directory / "data"
        self.run("initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C")
        options = f"-k {directory} -c listen_addresses= -c fsync=on -c max_connections=400"
        self.run("pg_ctl", "-D", data, "-w", "-l", directory / "log", "-o", options, "start")

    def run(self, program: str, *arguments: object) -> str:
        command = [*self.as_user, str(self.bin / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def new_database(self, name: str) -> str:
        self.run("createdb", "-h", self.directory, "-U", OWNER, name)
        return f"postgres://{OWNER}@localhost/{name}?host={self.directory}&sslmode=disable"

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.directory / "data", "-m", "fast", "stop")


def build() -> pathlib.Path:
    """The benchmark, optimized. The crate alone, because it needs no engine."""
    command = ["cargo", "bench", "--locked", "-p", "ytcaption-eventstore", "--bench", "append", "--no-run"]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    path = re.search(r"Executable .*\((.+)\)", done.stderr)
    if done.returncode != 0 or path is None:
        raise SystemExit(done.stderr)
    return ROOT / path.group(1)


def run_ours(program: pathlib.Path, url: str, *arguments: object) -> str:
    variables = os.environ | {"DATABASE_URL": url}
    done = subprocess.run([program, *map(str, arguments)], env=variables, check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="length of one run, in seconds")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side; the median of the ratios is printed")
    parser.add_argument("--smoke", action="store_true", help="only try the benchmark: a few seconds, not optimized")
    arguments = parser.parse_args()
    environment.load()
    if arguments.smoke:
        # Less, and pgbench ends before all of its clients are connected.
        arguments.seconds, arguments.rounds = 4, 1
    program = environment.built("append", "--profile", "dev") if arguments.smoke else build()
    with tempfile.TemporaryDirectory(prefix="ytcaption-bench-", ignore_cleanup_errors=True) as name:
        directory = pathlib.Path(name)
        postgres = Postgres(directory)
        try:
            url = postgres.new_database("bench")
            print("one caller:", run_ours(program, url, "create", 1, arguments.seconds).strip())
            script = directory / "insert.sql"
            script.write_text(PGBENCH_SCRIPT)
            script.chmod(0o644)
            ratios = {callers: compare(postgres, program, url, script, callers, arguments) for callers in CALLERS}
            print(run_ours(program, url, "load").strip())
        finally:
            postgres.stop()
    print(f"append_vs_pgbench_256: {ratios[256]:.2f}")
    print(f"append_vs_pgbench: {ratios[64]:.2f}")


def compare(postgres, program, url, script, callers, arguments) -> float:
    """The median of the ratios of all rounds."""
    ratios = []
    for _ in range(arguments.rounds):
        printed = postgres.run(
            "pgbench", "-h", postgres.directory, "-U", OWNER, "-n", "-f", script, "-c", callers, "-j", 2,
            "-T", arguments.seconds, "bench",
        )
        peer = float(re.search(r"tps = ([\d.]+)", printed).group(1))
        line = run_ours(program, url, "create", callers, arguments.seconds).strip()
        rate = float(re.search(r"commands_per_s (\d+)", line).group(1))
        ratios.append(rate / peer)
        print(f"pgbench {peer:.0f}/s | ours {line} | ratio {rate / peer:.2f}", flush=True)
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
