"""Colours by formula: what high dynamic range, other primaries and Lab are in sRGB (ITU-R BT.2100, BT.2390, H.273)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D65, D50 = np.array([0.3127, 0.329]), np.array([0.9642, 1, 0.8249])
PRIMARIES = {
    1: [[0.64, 0.33], [0.3, 0.6], [0.15, 0.06]], 9: [[0.708, 0.292], [0.17, 0.797], [0.131, 0.046]],
    12: [[0.68, 0.32], [0.265, 0.69], [0.15, 0.06]],
}
REFERENCE_WHITE = 203.0


def xyz(place: Floats) -> Floats:
    return np.array([place[0] / place[1], 1, (1 - place[0] - place[1]) / place[1]])


def to_xyz(primaries: int) -> Floats:
    columns = np.stack([xyz(np.array(place)) for place in PRIMARIES[primaries]], axis=1)
    return columns * np.linalg.solve(columns, xyz(D65))


def encoded(linear: Floats) -> Floats:
    """Give sRGB in 0 to 255, not rounded, of linear light in its primaries."""
    light = np.clip(linear, 0, 1)
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def srgb_linear(value: Floats) -> Floats:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def pq_to_light(value: Floats) -> Floats:
    power = value ** (32 / 2523)
    return 10000 * (np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)) ** (8192 / 1305)


def light_to_pq(light: Floats) -> Floats:
    power = (light / 10000) ** (1305 / 8192)
    return ((107 / 128 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg_to_scene(value: Floats) -> Floats:
    a, b = 0.17883277, 0.28466892
    c = 0.5 - a * np.log(4 * a)
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)


def tone_mapped(light: Floats, peak: float) -> Floats:
    """Bend light up to `peak` below the reference white: BT.2390, 5.4.1, on the brightest of the three colours."""
    if peak <= REFERENCE_WHITE:
        return light
    brightest = light.max(-1, keepdims=True)
    span = light_to_pq(np.array(peak))
    top = light_to_pq(np.array(REFERENCE_WHITE)) / span
    knee = 1.5 * top - 0.5
    value = light_to_pq(np.minimum(brightest, peak)) / span
    t = (value - knee) / (1 - knee)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    wanted = pq_to_light(np.where(value < knee, value, bent) * span)
    return light * np.divide(wanted, brightest, out=np.zeros_like(wanted), where=brightest > 0)


def from_codes(value: Floats, primaries: int, transfer: int) -> Floats:
    """Give sRGB, 0 to 255, of numbers from 0 to 1 under two code points of H.273."""
    matrix = to_xyz(primaries)
    if transfer == 16:
        light = pq_to_light(value)
        linear = tone_mapped(light, light.max()) / REFERENCE_WHITE
    elif transfer == 18:
        scene = hlg_to_scene(value)
        light = 1000 * (scene @ matrix[1])[..., None] ** 0.2 * scene
        linear = tone_mapped(light, 1000 * scene.max() ** 1.2) / REFERENCE_WHITE
    elif transfer == 8:
        linear = value
    elif transfer == 4:
        linear = value**2.2
    else:
        linear = srgb_linear(value)
    return encoded(linear @ (np.linalg.inv(to_xyz(1)) @ matrix).T)


def from_lab(lab: Floats) -> Floats:
    """Give sRGB, 0 to 255, of L*a*b* (white D50)."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    light = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    adapt = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ xyz(D65)) / (BRADFORD @ D50)) @ BRADFORD
    return encoded(light @ (np.linalg.inv(to_xyz(1)) @ adapt).T)
