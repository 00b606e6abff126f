"""An abdominal CT made from a seed: every seed is another patient, scanned in the portal-venous phase.

Anatomy is a set of smooth implicit shapes, pushed about by a random smooth field, so that organs vary in place,
size and shape; intensities, partial volume and correlated noise follow those of routine abdominal CT.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..synthesis import make_lattice

PHANTOM_LABELS = {
    "background": 0,
    "liver": 1,
    "spleen": 2,
    "kidney_right": 3,
    "kidney_left": 4,
    "stomach": 5,
    "gallbladder": 6,
    "aorta": 7,
    "pancreas": 8,
}
_SHAPE = (20, 112, 144)
_SPACING = (5.0, 2.5, 2.5)
_AIR, _FAT, _MUSCLE, _BONE = -1000.0, -100.0, 58.0, 320.0
_NOISE_PEAK = 0.14  # per mm, in-plane

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A made CT with its labels.

    Parameters
    ----------
    hu
        int16 (z, y, x), HU. Axes run to Superior, Posterior and the patient's Left.
    labels
        uint8 (z, y, x), ids of ``PHANTOM_LABELS``.
    spacing
        mm along (z, y, x).
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    spacing: tuple[float, float, float]


def make_phantom(seed: int = 0) -> Phantom:
    """Make the patient with this seed, the same to the last bit each time."""
    scan = _Scan(np.random.default_rng(seed))
    _torso(scan)
    _bowel(scan)
    _organs(scan)
    hu = ndimage.gaussian_filter(scan.hu, (0.25, 0.55, 0.55))
    noise = _noise(scan.rng) * scan.rng.uniform(4.5, 6.5)
    inside = ndimage.gaussian_filter(scan.body.astype(np.float32), (0, 2, 2))
    hu = hu + noise * (0.35 + 0.65 * inside)
    return Phantom(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), scan.labels, _SPACING)


@dataclass
class _Scan:
    """The picture while it is painted; x, y, z in mm from the middle of the body, already pushed about."""

    rng: np.random.Generator
    hu: Array = field(init=False)
    labels: NDArray[np.uint8] = field(init=False)
    body: Mask = field(init=False)
    cavity: Mask = field(init=False)
    free: Mask = field(init=False)  # of the cavity, what neither spine nor the muscles beside it take up

    def __post_init__(self) -> None:
        self.hu = np.full(_SHAPE, _AIR, np.float32)
        self.labels = np.zeros(_SHAPE, np.uint8)
        z, y, x = (
            ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * s).reshape([-1 if a == axis else 1 for a in range(3)])
            for axis, (n, s) in enumerate(zip(_SHAPE, _SPACING, strict=True))
        )
        size = float(self.rng.uniform(0.94, 1.06))
        self.z, self.y, self.x = (np.broadcast_to(line / size, _SHAPE).astype(np.float32) for line in (z, y, x))
        self.push(120.0, 4.0)

    def push(self, scale_mm: float, by_mm: float) -> None:
        """Push the anatomy painted from here on about, smoothly."""
        self.z, self.y, self.x = (line + self.smooth(scale_mm) * by_mm for line in (self.z, self.y, self.x))

    def smooth(self, scale_mm: float) -> Array:
        """A random field of unit variance that changes over ``scale_mm``."""
        free = ((False, False),) * 3
        lattice = make_lattice(_SHAPE, _SPACING, (scale_mm / 2,) * 3, free, torch.device("cpu"))
        noise = torch.from_numpy(self.rng.standard_normal((1, *lattice.control_shape)).astype(np.float32))
        dense = lattice.dense(noise)[0].numpy()
        return np.asarray(dense / dense.std(), dtype=np.float32)

    def jitter(self, centre: tuple[float, float, float], by: float) -> tuple[float, float, float]:
        x, y, z = centre + self.rng.normal(0, by, 3)
        return float(x), float(y), float(z)

    def ellipsoid(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        turn_deg: float = 0.0,
        rough: float = 0.0,
    ) -> Array:
        """Below 0 inside; ``centre`` and ``radii`` are (x, y, z) in mm, turned in the axial plane."""
        angle = np.deg2rad(turn_deg)
        x, y = self.x - centre[0], self.y - centre[1]
        along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        value = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 + ((self.z - centre[2]) / radii[2]) ** 2 - 1
        return np.asarray(value + rough * self.smooth(30.0) if rough else value, dtype=np.float32)

    def tube(self, points: list[tuple[float, float, float]], radius: float) -> Array:
        """Below 0 within ``radius`` mm of the line through ``points`` (x, y, z)."""
        nearest = np.full(_SHAPE, np.inf, np.float32)
        for a, b in pairwise(points):
            d = np.array(b) - np.array(a)
            p = (self.x - a[0], self.y - a[1], self.z - a[2])
            t = np.clip((p[0] * d[0] + p[1] * d[1] + p[2] * d[2]) / float(d @ d), 0, 1)
            nearest = np.minimum(nearest, sum((p[i] - t * d[i]) ** 2 for i in range(3)))
        return np.asarray(np.sqrt(nearest) - radius, dtype=np.float32)

    def paint(self, where: Mask, hu: float | Array, organ: str | None = None) -> None:
        """Put tissue in place; what is not an organ takes labels away, and an organ stays in the abdominal cavity."""
        if organ:
            where = where & self.cavity
        self.hu[where] = hu[where] if isinstance(hu, np.ndarray) else hu
        self.labels[where] = PHANTOM_LABELS[organ] if organ else 0


def _torso(scan: _Scan) -> None:
    """Skin, fat, muscle wall, ribs, spine, and the muscles beside it."""
    rng = scan.rng
    wide, deep = rng.uniform(150, 164), rng.uniform(104, 116)
    fat = rng.uniform(12, 24)

    def shell(inset: float) -> Array:
        return ((np.abs(scan.x) / (wide - inset)) ** 2.4 + (np.abs(scan.y) / (deep - inset)) ** 2.4 - 1).astype(
            np.float32
        )

    scan.body = shell(0.0) < 0
    scan.paint(scan.body, 20.0)
    scan.paint(shell(2.5) < 0, _FAT + 6 * scan.smooth(30.0))
    scan.paint(shell(fat) < 0, _MUSCLE + 5 * scan.smooth(20.0))
    scan.cavity = shell(fat + rng.uniform(11, 14)) < 0
    scan.paint(scan.cavity, _FAT + 8 * scan.smooth(18.0))
    _ribs(scan, wide - fat - 7, deep - fat - 7)
    for side in (-1, 1):
        scan.paint(
            scan.ellipsoid((side * 34, 74, 0), (27, 19, 900), side * 12, 0.1) < 0, _MUSCLE + 4 * scan.smooth(15.0)
        )
        scan.paint(scan.ellipsoid((side * 34, 48, -75), (17, 17, 75), 0, 0.1) < 0, _MUSCLE)
    spine = scan.ellipsoid((0, 55, 0), (22, 17, 900))
    disc = np.abs(((scan.z + rng.uniform(0, 30)) % 34) - 17) < 3.5
    scan.paint(spine < 0, np.where(disc, 90, _BONE).astype(np.float32))
    scan.paint(spine < -0.28, np.where(disc, 80, 170 + 15 * scan.smooth(10.0)).astype(np.float32))
    arch = scan.ellipsoid((0, 80, 0), (15, 12, 900))
    scan.paint(arch < 0, _BONE)
    scan.paint((np.abs(scan.x) < 3.5) & (scan.y > 88) & (scan.y < 104) & scan.body, _BONE)
    scan.paint((np.abs(scan.y - 78) < 3.5) & (np.abs(scan.x) < 32) & ~disc, _BONE)
    scan.paint(scan.ellipsoid((0, 80, 0), (9.5, 8, 900)) < 0, 25.0)
    scan.free = scan.cavity & (scan.hu < 0)


def _ribs(scan: _Scan, wide: float, deep: float) -> None:
    """Arcs along the muscle wall that fall towards the front."""
    ring = np.abs((np.abs(scan.x) / wide) ** 2.4 + (np.abs(scan.y) / deep) ** 2.4 - 1) * wide / 2.4
    phase = scan.rng.uniform(0, 26)
    height = np.abs(((scan.z - 0.45 * scan.y + phase) % 26) - 13)
    bone = (ring**2 / 4.0**2 + height**2 / 6.0**2 < 1) & (scan.y > -65) & (scan.y < 92) & (scan.z > -35 - 0.2 * scan.y)
    scan.paint(bone, _BONE + 80)
    scan.paint(bone & (ring**2 / 2.2**2 + height**2 / 4.0**2 < 1), 160.0)


def _bowel(scan: _Scan) -> None:
    """Loops in the fat in front and below, with wall, content and gas; they are background."""
    rng = scan.rng
    for _ in range(int(rng.integers(9, 14))):
        centre = (float(rng.uniform(-85, 90)), float(rng.uniform(-70, -5)), float(rng.uniform(-65, -15)))
        radius = float(rng.uniform(10, 17))
        loop = scan.ellipsoid(
            centre, (radius * rng.uniform(1, 1.8), radius, radius * 1.3), float(rng.uniform(0, 180)), 0.12
        )
        scan.paint(loop < 0, 65 + 10 * scan.smooth(8.0))
        scan.paint(loop < -0.45, float(rng.uniform(5, 45)))
        if rng.random() < 0.4:
            scan.paint((loop < -0.3) & (scan.y < centre[1] - 0.2 * radius), -850.0)


def _organs(scan: _Scan) -> None:
    """The labelled organs, in the order of painting: what comes later lies over what came before."""
    rng = scan.rng
    beside_spine = scan.x, scan.y  # the great vessels do not follow what pushes the soft organs about
    scan.push(60.0, 4.0)
    scale = {organ: rng.uniform(0.9, 1.12) for organ in PHANTOM_LABELS}
    texture = 3 * scan.smooth(9.0)

    liver_hu = rng.uniform(104, 112)
    x, y, z = scan.jitter((-76, -6, 16), 5)
    s = scale["liver"]
    right = scan.ellipsoid((x, y, z), (58 * s, 66 * s, 60 * s), float(rng.normal(8, 6)), 0.10)
    left = scan.ellipsoid((x + 62, y - 46, z + 14), (64 * s, 27 * s, 34 * s), float(rng.normal(-12, 6)), 0.12)
    liver = np.minimum(right, left)
    scan.paint(liver < 0, liver_hu + texture, "liver")
    _vessels(scan, liver < -0.12, liver_hu + rng.uniform(20, 30))

    s = scale["spleen"]
    spleen = scan.ellipsoid(scan.jitter((100, 30, 18), 5), (24 * s, 46 * s, 42 * s), float(rng.normal(-22, 8)), 0.10)
    scan.paint(spleen < 0, rng.uniform(119, 127) + texture, "spleen")

    s = scale["stomach"]
    x, y, z = scan.jitter((52, -42, 16), 6)
    stomach = scan.ellipsoid((x, y, z), (46 * s, 31 * s, 40 * s), float(rng.normal(-18, 10)), 0.12)
    scan.paint(stomach < 0, 78.0, "stomach")
    scan.paint(stomach < -0.3, rng.uniform(22, 34) + 6 * scan.smooth(12.0), "stomach")
    scan.paint((stomach < -0.25) & (scan.y < y - rng.uniform(8, 20)), -900.0, "stomach")

    for side, organ in ((-1, "kidney_right"), (1, "kidney_left")):
        s = scale[organ]
        centre = scan.jitter((side * 66, 46, -12 if side > 0 else -22), 5)
        kidney = scan.ellipsoid(centre, (25 * s, 29 * s, 46 * s), side * float(rng.normal(35, 8)), 0.08)
        scan.paint((kidney < 0.3) & scan.free, _FAT)  # perirenal fat parts it from its neighbours
        scan.paint(kidney < 0, rng.uniform(138, 144) + texture, organ)
        scan.paint(kidney < -0.42, rng.uniform(124, 130) + texture, organ)
        sinus = scan.ellipsoid((centre[0] - side * 11, centre[1] - 4, centre[2]), (15 * s, 8 * s, 18 * s), side * 30.0)
        scan.paint((sinus < 0) & (kidney < 0.1), _FAT + 30)

    points = [
        scan.jitter(point, 3)
        for point in (
            (-34.0, 2.0, -30.0),
            (-24.0, -8.0, -10.0),
            (6.0, -14.0, 0.0),
            (36.0, 2.0, 8.0),
            (72.0, 16.0, 18.0),
        )
    ]
    pancreas = scan.tube(points, 12.5 * scale["pancreas"]) + 2.0 * scan.smooth(14.0)
    scan.paint(pancreas < 0, rng.uniform(90, 98) + 6 * scan.smooth(6.0), "pancreas")

    s = scale["gallbladder"]
    gall = scan.ellipsoid(scan.jitter((-42, -38, -14), 4), (15 * s, 20 * s, 24 * s), float(rng.normal(20, 10)), 0.06)
    scan.paint(gall < 0, rng.uniform(4, 16), "gallbladder")
    scan.paint((gall < 0) & (gall > -0.18), 45.0, "gallbladder")

    _lungs(scan)
    across, back = beside_spine
    bend = 4 * np.sin(scan.z / 40 + rng.uniform(0, 6))
    blood = rng.uniform(132, 140)
    radius = rng.uniform(10, 12.5)
    cava = (across + 22 + bend) ** 2 / 1.3**2 + (back - 30) ** 2 - (radius * 0.95) ** 2
    scan.paint(cava < 0, blood - 10)
    aorta = (across - 9 + bend) ** 2 + (back - 26 + 0.5 * bend) ** 2 - radius**2
    scan.paint(aorta < 0, blood + texture, "aorta")


def _lungs(scan: _Scan) -> None:
    """The lowest lung, a crescent behind and beside the organs that thickens upwards."""
    above = scan.z - scan.rng.uniform(22, 40)
    # so coarse along z that the distance is that within the slice
    inwards = ndimage.distance_transform_edt(scan.free, sampling=(1e3, *_SPACING[1:]))
    crescent = (inwards < 0.55 * above + 0.06 * scan.y) & (above > 0) & (scan.y > -15) & (np.abs(scan.x) > 26)
    scan.paint(crescent & scan.free, -840 + 25 * scan.smooth(8.0))


def _vessels(scan: _Scan, inside: Mask, hu: float) -> None:
    """Bright branches within the liver, still liver."""
    ridge = np.abs(scan.smooth(26.0)) + np.abs(scan.smooth(30.0))
    scan.hu[inside & (ridge < 0.24)] = hu


def _noise(rng: np.random.Generator) -> Array:
    """Noise of unit variance whose power peaks at 0.14 per mm in-plane, as filtered back-projection leaves it."""
    white = rng.standard_normal(_SHAPE)
    fy = np.fft.fftfreq(_SHAPE[1], _SPACING[1])[:, None]
    fx = np.fft.rfftfreq(_SHAPE[2], _SPACING[2])[None]
    f = np.hypot(fy, fx) / _NOISE_PEAK
    shaped = np.fft.irfft2(np.fft.rfft2(white) * f * np.exp(-(f**2) / 2), s=_SHAPE[1:])
    return np.asarray(shaped / shaped.std(), dtype=np.float32)
