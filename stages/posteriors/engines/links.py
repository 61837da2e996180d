"""Moments of the label probability link(f) for a Gaussian latent f: E[link(f)] and Var[link(f)]."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr, owens_t

from stages.typing import Float64

Moments = tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_WEIGHTS /= _WEIGHTS.sum()
_SPACING = 0.5
_LOGISTIC_NODES = np.arange(-40.0, 40.0 + _SPACING, _SPACING)


def eq2_probability(
    latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]
) -> Float64[np.ndarray, " m"]:
    """pi* = sigmoid(E[f] / sqrt(1 + pi/8 var[f])), the probit approximation of GaPro, eq. (2); in [0, 1]."""
    return np.asarray(expit(latent_mean / np.sqrt(1.0 + np.pi / 8.0 * latent_variance)))


def sigmoid_moments(latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
    """Mean and variance of sigmoid(f), f ~ N(mean, variance), within 1e-10 for every mean and variance >= 0.

    Gauss-Hermite quadrature over f while its standard deviation is at most 1. To a wider Gaussian the sigmoid is a step
    that few nodes resolve; there the integral by parts is smooth, and the trapezoidal rule converges exponentially:
    E[g(f)] = integral of g'(u) P(f > u) du, for g = sigmoid and g = sigmoid^2.
    """
    deviation = np.sqrt(latent_variance)
    narrow = deviation <= 1.0
    mean, variance = np.empty_like(deviation), np.empty_like(deviation)
    mean[narrow], variance[narrow] = _narrow_moments(latent_mean[narrow], deviation[narrow])
    mean[~narrow], variance[~narrow] = _wide_moments(latent_mean[~narrow], deviation[~narrow])
    return mean, variance


def probit_moments(latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
    """Mean and variance of Phi(f), f ~ N(mean, variance), Phi the normal CDF; exact.

    E[Phi(f)] = Phi(a), a = mean / sqrt(1 + variance), and E[Phi(f)^2] = Phi(a) - 2 T(a, 1 / sqrt(1 + 2 variance)): the
    probability that two unit normals, correlated through f, are both below a (Owen 1980, integral 20,010.4).
    """
    argument = latent_mean / np.sqrt(1.0 + latent_variance)
    mean = ndtr(argument)
    variance = mean * ndtr(-argument) - 2.0 * owens_t(argument, 1.0 / np.sqrt(1.0 + 2.0 * latent_variance))
    return np.asarray(mean), np.asarray(np.maximum(variance, 0.0))


def step_moments(latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
    """Mean and variance of the indicator of f > 0, f ~ N(mean, variance): p = P(f > 0) and p (1 - p)."""
    argument = latent_mean / np.sqrt(np.maximum(latent_variance, np.finfo(np.float64).tiny))
    probability = ndtr(argument)
    return np.asarray(probability), np.asarray(probability * ndtr(-argument))


def _narrow_moments(latent_mean: Float64[np.ndarray, " m"], deviation: Float64[np.ndarray, " m"]) -> Moments:
    value = expit(latent_mean[:, None] + deviation[:, None] * _NODES)
    mean = (value * _WEIGHTS).sum(-1)
    return mean, (np.square(value - mean[:, None]) * _WEIGHTS).sum(-1)


def _wide_moments(latent_mean: Float64[np.ndarray, " m"], deviation: Float64[np.ndarray, " m"]) -> Moments:
    above = ndtr((latent_mean[:, None] - _LOGISTIC_NODES) / deviation[:, None])
    sigmoid = expit(_LOGISTIC_NODES)
    slope = _SPACING * sigmoid * expit(-_LOGISTIC_NODES)
    mean = (above * slope).sum(-1)
    second_moment = (above * (2.0 * sigmoid * slope)).sum(-1)
    return mean, np.maximum(second_moment - np.square(mean), 0.0)
