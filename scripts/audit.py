"""Asks whether a known vulnerability is in what is installed in an environment: python scripts/audit.py .venv

pip-audit, in an environment of its own, asks the Open Source Vulnerabilities service for the names and versions of the
installed packages; nothing else is sent. Where that service cannot be reached, this says so, and is no failure.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from pathlib import Path

SERVICE = "https://api.osv.dev"
PATIENCE_S = 4
OWN = Path(__file__).parents[1] / ".venv-audit"
_PINNED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.!]+)(?:\+[\w.]+)?$", re.MULTILINE)  # +cpu is no release


def main() -> int:
    if len(sys.argv) != 2:
        print("error: expected the environment to look at: python scripts/audit.py .venv", file=sys.stderr)
        return 2
    if why := unreachable():
        print(f"NOT AUDITED: {SERVICE} cannot be reached from here ({why}); run 'make audit' where it can")
        return 0
    found = installed(Path(sys.argv[1]))
    print(f"asking {SERVICE} about {len(found)} packages")
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        listed = Path(folder) / "installed.txt"
        listed.write_text("".join(f"{one}\n" for one in found))
        command = [
            str(audit_program()),
            "--vulnerability-service",
            "osv",
            "--disable-pip",
            "--no-deps",
            "-r",
            str(listed),
        ]
        return subprocess.run(command).returncode


def unreachable() -> str:
    """Why the service does not answer; "" where it does, whatever it says."""
    try:
        urllib.request.urlopen(SERVICE, timeout=PATIENCE_S).close()
    except urllib.error.HTTPError:
        return ""
    except (OSError, ValueError) as fault:
        return str(getattr(fault, "reason", fault))
    return ""


def installed(environment: Path) -> list[str]:
    """Releases in an environment, as name==version; what was not released, such as this project, is left out."""
    said = subprocess.run(
        [str(program(environment, "python")), "-m", "pip", "list", "--format", "freeze", "--exclude-editable"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [f"{one['name']}=={one['version']}" for one in _PINNED.finditer(said)]


def audit_program() -> Path:
    """pip-audit, installed where it is not yet."""
    if not program(OWN, "pip-audit").exists():
        venv.create(OWN, with_pip=True)
        subprocess.run([str(program(OWN, "python")), "-m", "pip", "install", "--quiet", "pip-audit>=2.7"], check=True)
    return program(OWN, "pip-audit")


def program(environment: Path, name: str) -> Path:
    return environment / (f"Scripts/{name}.exe" if sys.platform == "win32" else f"bin/{name}")


if __name__ == "__main__":
    sys.exit(main())
