from __future__ import annotations

import numpy as np
import pytest
from findings import toy_finding
from scipy import ndimage

from napari_advseg.evidence import control_parameters, noise_ratio, sentence, ssim

RNG = np.random.default_rng(0)
NOISY = (60 + RNG.normal(0, 10, (8, 64, 64))).astype(np.float32)


def test_ssim_is_one_for_the_same_image_and_falls_with_the_change() -> None:
    little, much = (NOISY + RNG.normal(0, sd, NOISY.shape).astype(np.float32) for sd in (3, 30))
    assert ssim(NOISY, NOISY) == pytest.approx(1.0)
    assert 1 > ssim(NOISY, little) > ssim(NOISY, much)


def test_ssim_looks_through_the_soft_tissue_window() -> None:
    bone = NOISY + 2000
    assert ssim(bone, bone + 300) == pytest.approx(1.0)


def test_the_noise_ratio_unmasks_blur_and_added_noise() -> None:
    assert noise_ratio(NOISY, NOISY) == pytest.approx(1.0)
    half_voxel = 0.5 * (NOISY + np.roll(NOISY, 1, axis=2))
    assert noise_ratio(NOISY, half_voxel) < 0.5
    doubled = NOISY + RNG.normal(0, 10, NOISY.shape).astype(np.float32)
    assert noise_ratio(NOISY, doubled) == pytest.approx(2.0, rel=0.1)
    assert noise_ratio(NOISY - 900, NOISY - 900) == 1.0  # no soft tissue to judge


def test_the_noise_ratio_does_not_mistake_an_added_slope_for_noise() -> None:
    slope = np.linspace(-15, 15, 64, dtype=np.float32)
    assert noise_ratio(NOISY, NOISY + slope) == pytest.approx(1.0, abs=0.02)


def test_the_random_control_is_as_large_and_as_smooth_as_the_attack() -> None:
    result = toy_finding().result
    control = result.synthesis.change(control_parameters(result, seed=1))
    spacing = np.array(result.ct.grid.spacing).reshape(3, 1, 1, 1)
    length = np.sqrt(np.square(control.displacement.numpy() * spacing).sum(0)).max()
    assert length == pytest.approx(result.displacement_mm.max(), rel=0.1)
    assert float(control.appearance.abs().max()) == pytest.approx(np.abs(result.appearance).max(), rel=0.1)

    def roughness(field: np.ndarray) -> float:
        return float(np.square(ndimage.laplace(field)).sum() / np.square(field).sum())

    assert roughness(control.appearance.numpy()) == pytest.approx(roughness(result.appearance), rel=0.6)
    other = result.synthesis.change(control_parameters(result, seed=2))
    both = np.corrcoef(control.appearance.numpy().ravel(), other.appearance.numpy().ravel())[0, 1]
    assert abs(both) < 0.3


def test_the_sentence_says_what_was_asked_and_what_was_reached() -> None:
    finding = toy_finding()
    text = sentence(finding.result, finding.evidence)
    assert text.startswith(f"Asked for a Dice drop of 0.20: reached {finding.result.achieved_drop:.3f}")
    assert "random change of the same size" in text
    assert "NOT reached" in sentence(toy_finding(drop=0.9, max_hu=1.0).result, None)
