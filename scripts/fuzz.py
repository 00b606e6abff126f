"""Fuzzes a reader of the project's own formats: python scripts/fuzz.py TARGET --seconds 60

Atheris (libFuzzer for Python: pip install --group fuzz) changes the inputs of tests/fuzzing/corpus/TARGET at random and goes
on from those that reach new code. An input that ends in anything but a value or one line of a ValueError is put into the
corpus, and this ends with status 1: mend the reader, and the tests replay the input from then on. Else what reached new
code is boiled down to the fewest and smallest inputs and kept.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
OF_INTEREST = (str(ROOT / "napari_advseg"), f"{os.sep}yaml{os.sep}", f"{os.sep}csv.py")  # code that is watched
LONGEST = 4096  # bytes of an input
MOST = 30_000  # bytes of a target's corpus
SLOWEST_S = 20  # an input that takes longer is a hang


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "target", help="card, json-card, attacker, record, table, names, yaml, or all, one after the other"
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if find_spec("atheris") is None:
        print(
            "error: atheris is not installed: pip install --group fuzz (it has wheels for CPython under Linux)",
            file=sys.stderr,
        )
        return 2
    if given.inside is not None:
        return fuzz(given.target, given.seconds, given.inside)
    sys.path.insert(0, str(ROOT / "tests"))
    from fuzzing.targets import TARGETS

    if given.target != "all" and given.target not in TARGETS:
        print(f"error: there is no target {given.target!r}: expected one of {', '.join(TARGETS)}, all", file=sys.stderr)
        return 2
    return max(watched(name, given.seconds) for name in (TARGETS if given.target == "all" else [given.target]))


def watched(name: str, seconds: int) -> int:
    """Fuzz in a process of its own, as libFuzzer ends its process; then tidy the corpus, or keep the input that failed."""
    from fuzzing.targets import TARGETS

    target = TARGETS[name]
    target.corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        work = Path(folder)
        for part in ("inputs", "failed"):
            (work / part).mkdir()
        (work / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        command = [sys.executable, __file__, name, "--seconds", str(seconds), "--inside", folder]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds + 600)
        said = done.stdout + done.stderr
        runs = re.findall(r"^(?:Done |#)(\d+)", said, re.MULTILINE)
        if failed := sorted((work / "failed").iterdir()):
            content = failed[0].read_bytes()
            kept = _keep(target.corpus, content)
            why = re.findall(r"^.*Wrong: (.*)$", said, re.MULTILINE)
            print(
                f"{name}: {why[-1] if why else failed[0].name} after {runs[-1] if runs else '?'} inputs; it is {kept}"
            )
            return 1
        if done.returncode != 0:
            print(said[-2000:], file=sys.stderr)
            return 1
        inputs = {path.read_bytes() for place in (target.corpus, work / "inputs") for path in place.iterdir()}
        few = boiled_down(inputs, target)
        for path in target.corpus.iterdir():
            if path.read_bytes() not in few:
                path.unlink()
        for content in few:
            _keep(target.corpus, content)
    print(f"{name}: {runs[-1] if runs else '?'} inputs in {seconds} s, no fault; {len(few)} of {len(inputs)} are kept")
    return 0


def fuzz(name: str, seconds: int, work: Path) -> int:
    """libFuzzer's loop, which ends this process."""
    import atheris  # type: ignore[import-not-found,unused-ignore]

    sys.path.insert(0, str(ROOT / "tests"))
    with atheris.instrument_imports(include=["napari_advseg", "yaml", "csv", "json"]):
        from fuzzing.targets import CORPUS, TARGETS, bundle, ends_well

    target = TARGETS[name]
    if name == "record":
        bundle()
    options = [
        f"-max_total_time={seconds}", f"-timeout={SLOWEST_S}", f"-max_len={LONGEST}", "-rss_limit_mb=6000",
        f"-dict={work / 'words'}",
        f"-artifact_prefix={work / 'failed'}{os.sep}", "-print_final_stats=1", str(work / "inputs"), str(CORPUS / name),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], lambda content: ends_well(target, content) and None)
    atheris.Fuzz()
    return 0


def boiled_down(inputs: Iterable[bytes], target: Any) -> set[bytes]:
    """The smallest inputs that together take every step from line to line that all of them take."""
    from fuzzing.targets import ends_well

    taken: set[tuple[str, int, int]] = set()
    kept: set[bytes] = set()
    for content in sorted(inputs, key=lambda one: (len(one), one)):
        steps = _steps_of(lambda content=content: ends_well(target, content))  # type: ignore[misc]
        if steps - taken and sum(map(len, kept)) + len(content) <= MOST:
            taken |= steps
            kept.add(content)
    return kept


def _steps_of(work: Callable[[], object]) -> set[tuple[str, int, int]]:
    """(file, line, next line) of the code of interest that ``work`` runs through, and whether it gives a value."""
    found: set[tuple[str, int, int]] = set()
    last: dict[int, int] = {}

    def step(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            found.add((frame.f_code.co_filename, last.get(id(frame), 0), frame.f_lineno))
            last[id(frame)] = frame.f_lineno
        return step

    def call(frame: FrameType, event: str, _: object) -> Any:
        return step if any(part in frame.f_code.co_filename for part in OF_INTEREST) else None

    sys.settrace(call)
    try:
        with contextlib.suppress(Exception):
            found.add(("a value" if work() else "no value", 0, 0))
    finally:
        sys.settrace(None)
    return found


def _keep(folder: Path, content: bytes) -> Path:
    path = folder / hashlib.sha256(content).hexdigest()[:16]
    path.write_bytes(content)
    return path


def _escaped(word: str) -> str:
    return "".join(letter if letter.isalnum() else f"\\x{ord(letter):02x}" for letter in word)


if __name__ == "__main__":
    sys.exit(main())
