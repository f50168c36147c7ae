"""compose.yaml has no password or key of its own, and secrets.sh makes all of them; run by `make test`."""

import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECRET = re.compile(r"PASSWORD|SECRET|KEY")


class Secrets(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.clone = pathlib.Path(directory.name)
        (self.clone / "scripts").mkdir()
        self.script = self.clone / "scripts" / "secrets.sh"
        shutil.copy(ROOT / "scripts" / "secrets.sh", self.script)

    def run_script(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.script], capture_output=True, text=True)

    def made(self) -> dict[str, str]:
        lines = (self.clone / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def test_every_secret_that_compose_needs_is_made(self) -> None:
        compose = (ROOT / "compose.yaml").read_text()
        required = set(re.findall(r"\$\{(\w+):\?", compose))
        self.assertEqual(self.run_script().returncode, 0)
        self.assertEqual(set(self.made()), required)
        # An empty default means that the setting is not set.
        defaults = [name for name, value in re.findall(r"\$\{(\w+):-([^}]*)\}", compose) if value and SECRET.search(name)]
        self.assertEqual(defaults, [])

    def test_they_have_the_forms_that_the_servers_need_and_are_random(self) -> None:
        self.run_script()
        first = self.made()
        self.assertRegex(first["S3_ACCESS_KEY_ID"], r"^GK[0-9a-f]{24}$")
        self.assertRegex(first["S3_SECRET_ACCESS_KEY"], r"^[0-9a-f]{64}$")
        self.assertRegex(first["S3_RPC_SECRET"], r"^[0-9a-f]{64}$")
        self.assertRegex(first["MASTER_KEY"], r"^[A-Za-z0-9+/]{43}=$")
        self.assertEqual(stat.S_IMODE((self.clone / ".env").stat().st_mode), 0o600)
        (self.clone / ".env").unlink()
        self.run_script()
        self.assertFalse(set(first.values()) & set(self.made().values()))

    def test_a_file_that_exists_is_kept(self) -> None:
        self.run_script()
        first = self.made()
        again = self.run_script()
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists already", again.stderr)
        self.assertEqual(self.made(), first)


if __name__ == "__main__":
    unittest.main()
