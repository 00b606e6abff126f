"""The figures that are told of a change, against others' implementations and changes whose figures are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import toy_finding

from napari_advseg.evidence import newly_wrong, noise_ratio, ssim
from napari_advseg.evidence.measures import measure_evidence
from napari_advseg.volume import SOFT_TISSUE


def noisy(mean: float, sd: float = 10.0, seed: int = 0) -> np.ndarray:
    return (mean + np.random.default_rng(seed).normal(0, sd, (6, 40, 40))).astype(np.float32)


@pytest.mark.parametrize("added", [2.0, 15.0, 60.0])
def test_ssim_is_that_of_scikit_image(added: float) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    clean = noisy(40, 60)
    perturbed = clean + noisy(0, added, seed=1)
    low, high = SOFT_TISSUE
    one, other = (np.clip((hu.astype(float) - low) / (high - low), 0, 1) for hu in (clean, perturbed))
    theirs = np.mean(
        [
            metrics.structural_similarity(
                a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
            )[1].mean()
            for a, b in zip(one, other, strict=True)
        ]
    )
    assert ssim(clean, perturbed) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.5])
def test_noise_power_goes_with_the_square_of_the_noise(factor: float) -> None:
    clean = noisy(80)
    assert noise_ratio(clean, 80 + factor * (clean - 80)) == pytest.approx(factor**2, rel=1e-3)


@pytest.mark.parametrize(("mean", "judged"), [(-20, False), (20, True), (140, True), (180, False)])
def test_noise_is_judged_in_parenchyma_and_muscle_only(mean: float, judged: bool) -> None:
    clean = noisy(mean, 4.0)
    ratio = noise_ratio(clean, mean + 0.5 * (clean - mean))
    assert ratio == pytest.approx(0.25 if judged else 1.0, rel=1e-3)


def test_noise_is_not_judged_at_edges() -> None:
    """A sharp edge that is moved is no noise."""
    clean, moved = (np.full((4, 40, 60), 20.0, np.float32) for _ in range(2))
    clean[..., 30:], moved[..., 31:] = 130.0, 130.0
    texture = np.random.default_rng(0).normal(0, 3, clean.shape).astype(np.float32)
    assert noise_ratio(clean + texture, moved + texture) == pytest.approx(1.0, abs=0.02)


def test_a_clean_ct_without_noise_has_no_ratio() -> None:
    flat = np.full((3, 20, 20), 60.0, np.float32)
    assert noise_ratio(flat, noisy(60)[:3, :20, :20]) == 1.0


def test_the_evidence_is_that_of_the_arrays() -> None:
    result = toy_finding().result
    spacing = np.array(result.ct.grid.spacing).reshape(3, 1, 1, 1)
    found = measure_evidence(result, [0.01, 0.02, 0.06])
    length = np.sqrt(((result.displacement * spacing) ** 2).sum(0))
    assert found.control_drop == pytest.approx(0.03)
    assert found.control_drops == (0.01, 0.02, 0.06)
    assert found.max_displacement_mm == pytest.approx(length.max(), rel=1e-5)
    assert found.mean_displacement_mm == pytest.approx(length.mean(), rel=1e-5)
    assert found.max_hu == pytest.approx(np.abs(result.appearance).max())
    assert found.rms_hu == pytest.approx(np.sqrt((result.appearance**2).mean()), rel=1e-5)
    assert found.min_jacobian <= 1 <= found.max_jacobian
    clean = result.ct.hu[result.region.slices]
    assert found.ssim == ssim(clean, result.perturbed.astype(np.float32)) < 1


def test_newly_wrong_is_what_the_attack_alone_made_wrong() -> None:
    result = toy_finding().result
    organ, other = result.organs[0].id, 7
    shape = result.clean_labels.shape
    cases = {  # clean, attacked, moved reference: wrong?
        (organ, 0, organ): True,  # lost
        (0, organ, 0): True,  # added
        (organ, organ, organ): False,
        (0, 0, organ): False,  # missed before as well
        (organ, organ, 0): False,  # too much before as well
        (0, other, 0): False,  # of an organ that is not scored
        (organ, other, organ): True,  # taken for another
        (other, 0, 0): False,  # right now
    }
    clean, attacked, moved = (np.zeros(shape, np.uint16) for _ in range(3))
    for place, labels in enumerate(cases):
        clean.flat[place], attacked.flat[place], moved.flat[place] = labels
    made = newly_wrong(replace(result, clean_labels=clean, attacked_labels=attacked, moved_reference=moved))
    assert made.flat[: len(cases)].tolist() == list(cases.values())
    assert not made.flat[len(cases) :].any()


def test_ssim_of_flat_images_is_that_of_their_brightness() -> None:
    """Where nothing has a texture, all that is left of the definition is the term of the means, with its 0.01."""
    low, high = SOFT_TISSUE
    dark = np.full((2, 20, 20), low, np.float32)
    added = 0.05
    assert ssim(dark, dark + added * (high - low)) == pytest.approx(0.01**2 / (added**2 + 0.01**2), rel=1e-4)


def test_ssim_of_a_texture_that_only_one_has_is_that_of_its_contrast() -> None:
    """A checkerboard is blurred to nothing, and its square is not: the term of the contrasts alone, with its 0.03."""
    low, high = SOFT_TISSUE
    flat = np.full((1, 60, 60), (low + high) / 2, np.float32)
    contrast = 0.02
    board = (np.indices(flat.shape).sum(0) % 2 * 2 - 1).astype(np.float32)
    known = 0.03**2 / (contrast**2 + 0.03**2)
    assert ssim(flat, flat + contrast * (high - low) * board) == pytest.approx(known, rel=0.01)


def test_noise_is_judged_only_where_both_are_soft_tissue_around() -> None:
    """Two slices of noise; in one of them the perturbed CT has become bone, and counts no more."""
    clean = noisy(80)
    perturbed = clean.copy()
    perturbed[:3] = 600 + 3 * (clean[:3] - 80)
    perturbed[3:] = 80 + 0.5 * (clean[3:] - 80)
    assert noise_ratio(clean, perturbed) == pytest.approx(0.25, rel=1e-3)
    assert noise_ratio(perturbed, clean) == pytest.approx(4.0, rel=1e-3)
