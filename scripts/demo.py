"""`make demo`: one video goes through the whole system.

Starts `ytcaption up` on free ports with a data folder of its own, serves a small video with speech from this
machine, submits its address, prints the captions, and stops everything again (`--keep` leaves it running).

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
# `ytcaption up` itself promises to have drained within 30 s.
STOP_TIMEOUT_S = 40
# Fifteen seconds of video take a few seconds; a full-size model on a slow machine takes longer.
CAPTIONS_TIMEOUT_S = 300
LOG_LINES_SHOWN = 15


class DemoError(Exception):
    """Ends the demo; its text tells the person what to do."""


def say(text: str) -> None:
    print(text, flush=True)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log line for each request."""

    def log_message(self, *_: object) -> None:
        pass


def serve(folder: pathlib.Path) -> http.server.ThreadingHTTPServer:
    """A local web server on a free port, in a thread of its own."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class System:
    """A running `ytcaption up` with its data folder."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path) -> None:
        self.data = folder / "data"
        self.log = folder / "ytcaption.log"
        # What the caller set for other systems must not leak into this one.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("YTCAPTION_")}
        for shared in ("DATABASE_URL", "NATS_URL"):
            environment.pop(shared, None)
        # The demo's video comes from this very machine; by default such addresses are refused.
        environment["YTCAPTION_NETWORK__ALLOW"] = "127.0.0.0/8"
        model = os.environ.get("YTCAPTION_MODEL", str(ROOT / "models/demo/model"))
        command = [str(program), "up", "--data-dir", str(self.data), "--listen", "127.0.0.1:0", "--model", model]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches this script, which then stops the system in order.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )

    def wait_until_ready(self) -> str:
        """The base address of the API."""
        ready = self.data / "ytcaption.json"
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DemoError("the system ended while starting")
            try:
                return str(json.loads(ready.read_text())["api"]).rstrip("/")
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.1)
        raise DemoError(f"the system was not ready after {START_TIMEOUT_S} s")

    def last_log_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])

    def peak_memory_mb(self) -> int:
        """Of all roles together; Postgres and nats-server are processes of their own."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        return peak_kib * 1024 // 1_000_000

    def stop(self) -> None:
        """SIGTERM, and the patience it promises to need; then anything of it that is left is an error."""
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


def processes_using(folder: pathlib.Path) -> list[str]:
    """Programs with this folder on their command line, as "name (process id)"."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if any(os.fsencode(folder) in argument for argument in arguments):
            found.append(f"{os.fsdecode(arguments[0])} ({entry.name})")
    return found


def check_page(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as answer:
        say(f"  {address}  ({answer.status})")


def show_captions(program: pathlib.Path, url: str, api: str) -> None:
    """Submits the address and prints the captions; the progress bar goes straight to the terminal."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("YTCAPTION_")}
    submit = [str(program), "submit", url, "--api", api, "--wait", "--format", "srt"]
    try:
        done = subprocess.run(submit, stdout=subprocess.PIPE, text=True, env=environment, timeout=CAPTIONS_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise DemoError(f"there were no captions after {CAPTIONS_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise DemoError(f"'ytcaption submit' ended with code {done.returncode}; its message is above")
    if "-->" not in done.stdout:
        raise DemoError("the job was completed, but there are no captions in its result")
    say(f"\nThe video says:\n  {' '.join(demo_video.SENTENCES)}\n\nThe captions, as SRT:\n")
    say(done.stdout.strip())


def run(program: pathlib.Path, folder: pathlib.Path, keep: bool) -> None:
    started = time.monotonic()
    say("Starting the system: Postgres, NATS, the API and every worker ...")
    system = System(program, folder)
    server = None
    try:
        # The video is made while the system starts.
        site = folder / "site"
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
        say_what_next(api, keep)
        peak_mb = system.peak_memory_mb()
        if keep:
            say(f"\nLeft running. Stop it with: kill {system.process.pid}; its data and log are in {folder}.")
    except DemoError as error:
        raise DemoError(f"{error}\nThe system's last words:\n{system.last_log_lines()}") from None
    finally:
        if server is not None:
            server.shutdown()
        if not keep or sys.exc_info()[0] is not None:
            system.stop()
    say(f"\nThe demo took {time.monotonic() - started:.0f} s; the system held at most {peak_mb} MB of memory.")


def say_what_next(api: str, keep: bool) -> None:
    say("\nWhat next:")
    if keep:
        say(f"  A video of yours:   scripts/ytcaption submit URL-OR-FILE --api {api} --wait --format srt")
    else:
        say("  A video of yours:   scripts/ytcaption up; then elsewhere: scripts/ytcaption submit URL-OR-FILE --wait")
    say("  A full-size model:  scripts/ytcaption models pull small, then scripts/ytcaption up --model small")
    say("                      (or --model and any folder that faster-whisper uses)")


def main() -> int:
    program, keep = pathlib.Path(sys.argv[1]), "--keep" in sys.argv[2:]
    # Short, because a Unix socket's path has 107 bytes; open to the other user that Postgres runs as.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ytcaption-demo-"))
    folder.chmod(0o755)
    # A terminated demo stops its system, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept = False
    try:
        run(program, folder, keep)
        kept = keep
        return 0
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}; 'make setup' installs what the demo needs", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
