"""`make demo`: captions one video with the whole system.

Starts `ytcaption up` on free ports with a data directory of its own, serves a small video with speech from this
machine, submits its URL, prints the captions, and stops the system (with `--keep` it stays running).

Usage: demo.py PROGRAM [--keep]
"""

import functools
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import demo_video

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60
# `ytcaption up` drains within 30 s; its servers stop after that.
STOP_TIMEOUT_S = 40
# Fifteen seconds of video take a few seconds; a full-size model on a slow machine takes longer.
CAPTIONS_TIMEOUT_S = 300
LOG_LINES_SHOWN = 15


class DemoError(Exception):
    """Ends the demo; the message says what failed."""


def say(text: str) -> None:
    print(text, flush=True)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log line for each request."""

    def log_message(self, *_: object) -> None:
        pass


def serve(directory: pathlib.Path) -> http.server.ThreadingHTTPServer:
    """A local web server on a free port, in a thread of its own."""
    handler = functools.partial(QuietHandler, directory=str(directory))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class System:
    """A running `ytcaption up` with its data directory."""

    def __init__(self, program: pathlib.Path, directory: pathlib.Path) -> None:
        self.data = directory / "data"
        self.log = directory / "ytcaption.log"
        # Settings of the caller for other systems must not affect this one.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("YTCAPTION_")}
        for shared in ("DATABASE_URL", "NATS_URL"):
            environment.pop(shared, None)
        # The demo's video is served on loopback, from which downloads are refused by default.
        environment["YTCAPTION_NETWORK__ALLOW"] = "127.0.0.0/8"
        model = os.environ.get("YTCAPTION_MODEL", str(ROOT / "models/demo/model"))
        command = [str(program), "up", "--data-dir", str(self.data), "--listen", "127.0.0.1:0", "--model", model]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C is sent only to this script, which then stops the system.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )

    def wait_until_ready(self) -> str:
        """Waits until the system is ready; returns the base URL of the API."""
        ready = self.data / "ytcaption.json"
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DemoError("the system ended while it was starting")
            try:
                return str(json.loads(ready.read_text())["api"]).rstrip("/")
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.1)
        raise DemoError(f"the system was not ready after {START_TIMEOUT_S} s")

    def last_log_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])

    def peak_memory_mb(self) -> int:
        """Peak memory of all roles together, in MB, without Postgres and nats-server."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        return peak_kib * 1024 // 1_000_000

    def stop(self) -> None:
        """Sends SIGTERM and waits; a process that is still running after the timeout is an error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise DemoError(f"the system did not stop within {STOP_TIMEOUT_S} s") from None
        left = processes_using(self.data)
        if left:
            raise DemoError(f"still running after the stop: {', '.join(left)}")


def processes_using(directory: pathlib.Path) -> list[str]:
    """Processes with this directory in their command line, as "name (process id)"."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # the process has just ended
            continue
        if any(os.fsencode(directory) in argument for argument in arguments):
            found.append(f"{os.fsdecode(arguments[0])} ({entry.name})")
    return found


def check_page(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as response:
        say(f"  {url}  ({response.status})")


def show_captions(program: pathlib.Path, url: str, api: str) -> None:
    """Submits the URL and prints the captions; the progress bar is printed to the terminal directly."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("YTCAPTION_")}
    submit = [str(program), "submit", url, "--api", api, "--wait", "--format", "srt"]
    try:
        done = subprocess.run(submit, stdout=subprocess.PIPE, text=True, env=environment, timeout=CAPTIONS_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise DemoError(f"there were no captions after {CAPTIONS_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise DemoError(f"'ytcaption submit' ended with code {done.returncode}; its message is above")
    if "-->" not in done.stdout:
        raise DemoError("the job was completed, but its result has no captions")
    say(f"\nThe video says:\n  {' '.join(demo_video.SENTENCES)}\n\nThe captions, as SRT:\n")
    say(done.stdout.strip())


def run(program: pathlib.Path, directory: pathlib.Path, keep: bool) -> None:
    started = time.monotonic()
    say("Starting the system: Postgres, NATS, the API and every worker ...")
    system = System(program, directory)
    server = None
    try:
        # The video is generated while the system starts.
        site = directory / "site"
        site.mkdir()
        demo_video.make_site(site)
        server = serve(site)
        url = f"http://127.0.0.1:{server.server_address[1]}/index.html"
        api = system.wait_until_ready()
        say(f"Ready. Submitting {url} (a small video with speech, served by this machine) ...")
        show_captions(program, url, api)
        say("\nAPI documentation and health:")
        for path in ("/docs/", "/openapi.json", "/health/ready"):
            check_page(api + path)
        print_next_steps(api, keep)
        peak_mb = system.peak_memory_mb()
        if keep:
            say(f"\nThe system keeps running. Stop it with: kill {system.process.pid}; its files are in {directory}.")
    except DemoError as error:
        raise DemoError(f"{error}\nThe last log lines of the system:\n{system.last_log_lines()}") from None
    finally:
        if server is not None:
            server.shutdown()
        if not keep or sys.exc_info()[0] is not None:
            system.stop()
    say(f"\nThe demo took {time.monotonic() - started:.0f} s; the peak memory of the system was {peak_mb} MB.")


def print_next_steps(api: str, keep: bool) -> None:
    say("\nNext steps:")
    say("  For real use:       make release; scripts/ytcaption then runs the optimised program")
    if keep:
        say(f"  Your own video:     scripts/ytcaption submit URL-OR-FILE --api {api} --wait --format srt")
    else:
        say("  Your own video:     scripts/ytcaption up, and in another terminal:")
        say("                      scripts/ytcaption submit URL-OR-FILE --wait")
    say("  A full-size model:  scripts/ytcaption models pull small, then scripts/ytcaption up --model small")
    say("                      (or --model with the directory of any faster-whisper model)")


def main() -> int:
    program, keep = pathlib.Path(sys.argv[1]), "--keep" in sys.argv[2:]
    # Short, because the path of a Unix socket has at most 107 bytes. Readable, because Postgres may run as another user.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="ytcaption-demo-"))
    directory.chmod(0o755)
    # When the demo is terminated, it stops its system too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept = False
    try:
        run(program, directory, keep)
        kept = keep
        return 0
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}; 'make setup' installs the programs that the demo needs", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
