"""The main jobs in a process that notes every attempt to reach another computer: python alone.py JOB FOLDER

``checkpoints`` opens every kind of checkpoint, ``shell`` runs the commands and a list of cases, ``dock`` opens the dock
without a window; several are named with commas. Printed is JSON: the attempts until then, and those of two made on purpose.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
_WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg",
            "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect")  # fmt: skip
attempts: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _WATCHED:
        attempts.append(f"{event} {arguments!r}")
        raise OSError("no network here")


def run(*arguments: object, status: int = 0) -> None:
    from commands import shell

    done = shell(*arguments)
    assert done.returncode == status, (arguments, done.returncode, done.stderr)


def open_checkpoints(folder: Path) -> None:
    """Every kind of checkpoint that can be made here."""
    import torch
    import yaml
    from monai.networks.nets import UNet
    from monai_bundles import CONFIG, written
    from safetensors.torch import save_file

    from napari_advseg.networks import open_network

    arguments = {key: value for key, value in CONFIG["network_def"].items() if key != "_target_"}

    def weights(dimensions: int, channels: int) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = UNet(
            **(arguments | {"spatial_dims": dimensions, "out_channels": channels})
        ).state_dict()
        return state

    card = {"name": "mine", "dimensions": 3, "labels": ["background", "liver", "spleen"], "divisible_by": 4}
    architecture = {"class": "monai.networks.nets.UNet", "arguments": arguments}
    torch.save(weights(3, 3), folder / "plain.pth")
    save_file(weights(3, 3), folder / "safe.safetensors")
    net = UNet(**arguments).eval()
    torch.jit.trace(net, torch.zeros(1, 1, 32, 32, 32)).save(str(folder / "script.pt"))
    torch.export.save(torch.export.export(net, (torch.zeros(1, 1, 32, 32, 32),)), str(folder / "exported.pt2"))
    for name in ("plain", "safe", "script", "exported"):
        own = {} if name in ("script", "exported") else {"architecture": architecture}
        size = {"patch": [32, 32, 32], "batch": 1} if name == "exported" else {}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(card | own | size))
    bundle, _ = written(folder / "bundle", weights)
    nnunet = TESTS / "data" / "nnunet" / "Dataset901_Phantom"
    results = sorted({path.parent for path in nnunet.rglob("plans.json")})
    assert results
    shutil.make_archive(str(folder / "bundle"), "zip", bundle.parent, bundle.name)
    names = ["plain.pth", "safe.safetensors", "script.pt", "exported.pt2", "bundle", "bundle.zip"]
    for checkpoint in ["phantom2d", *(folder / name for name in names), *results]:
        assert open_network(checkpoint, device="cpu", trust=True).card.labels


def shell_jobs(folder: Path) -> None:
    from privacy.inputs import write_inputs

    given, out = write_inputs(folder / "given"), folder / "out"
    common = ("--network", given.network, "--device", "cpu")
    labels = ("--reference", given.reference, "--label-names", given.label_names)
    learned = ("--attacker", "phantom2d", "--generated", "alone", "--tolerance", 0.3, "--drop", 0.2)
    run("attack", given.dicom, *common, *labels, *learned, "--out", out / "bundle")
    run("verify", out / "bundle", *common)
    run("report", out / "bundle", "--out", out / "report.html")
    for name in ("blink.gif", "blink.mp4", "blink.png"):
        run("picture", out / "bundle", "--out", out / name)
    run("train", given.cts, *common, "--steps", 1, "--validation", 0, "--organs", "liver", "--out", out / "attacker")
    run("sample", "phantom", "--out", out / "sample")
    assert attempts == []
    run("inspect", "abdomen8", status=1)  # the one network that is downloaded, when it is named
    assert any("githubusercontent" in one for one in attempts), "the download was not noticed"
    attempts.clear()
    run("inspect", given.network)
    run("distrust", folder / "script.pt")
    run("doctor")
    queue(given.table, out / "work", str(given.network))


def queue(table: Path, work: Path, network: str) -> None:
    from napari_advseg.attacks import CancelToken
    from napari_advseg.case import AttackRequest, finish
    from napari_advseg.cohort import CohortRequest, WorkFolder, attack_all, read_cases

    attack = AttackRequest(drop=0.2, tolerance=0.3, attacker="phantom2d", generated="alone")
    request = CohortRequest(cases=read_cases(table), network=network, attacks=(attack,), device="cpu")
    found = finish(attack_all(request, WorkFolder(work, table), CancelToken()))
    assert found.count("done") == 1


def dock_jobs(folder: Path) -> None:
    """The dock opens a case of the user's; what napari keeps of it is left in ``folder``/napari.yaml."""
    from napari.components import ViewerModel
    from napari.settings import get_settings
    from privacy.inputs import write_inputs
    from qtpy.QtWidgets import QApplication

    import napari_advseg.viewer
    from napari_advseg.viewer import AttackDock
    from napari_advseg.viewer.habits import note_folder

    application = QApplication([])
    given = write_inputs(folder / "given")
    dock = AttackDock(ViewerModel())
    dock.inputs.ct.set_value(given.nifti)
    dock.inputs.network.set_value(given.network)
    dock.inputs.reference.set_value(given.reference)
    note_folder("cts", given.nifti)
    end = time.monotonic() + 60
    while dock.controller.in_hand is None and time.monotonic() < end:
        application.processEvents()
        time.sleep(0.01)
    assert dock.controller.in_hand is not None, "the case was not opened"
    dock.shut_down()
    assert dock.controller.join(30)
    get_settings().save()
    assert napari_advseg.viewer is not None


JOBS: dict[str, Callable[[Path], None]] = {"checkpoints": open_checkpoints, "shell": shell_jobs, "dock": dock_jobs}


def main() -> None:
    job, folder = sys.argv[1], Path(sys.argv[2])
    for name in ("logs", "settings", "cache"):
        os.environ[f"NAPARI_ADVSEG_{name.upper()}"] = str(folder / name)
    sys.path.insert(0, str(TESTS))
    sys.addaudithook(watch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in job.split(","):
            JOBS[name](folder)
    before, attempts[:] = list(attempts), []
    for attempt in (
        lambda: urllib.request.urlopen("http://127.0.0.1:1/"),
        lambda: socket.create_connection(("127.0.0.1", 1)),
    ):
        with contextlib.suppress(OSError):
            attempt()
    print(json.dumps([before, attempts]))


if __name__ == "__main__":
    main()
