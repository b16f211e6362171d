"""The Fourier spectrum of a model's outputs as a tensor network, far beyond enumeration.

An output is f(x) = sum_d C_d exp(i sum frequency x). The coefficients C form a network with an open
index for each upload, or for each group of uploads of one feature whose frequencies add up; power,
profiles and indices come from that network joined with itself (THEORY section 3).
"""

from tnqml.spectrum.indices import Sobol, sobol
from tnqml.spectrum.profiles import (
    Power,
    Profile,
    cost,
    feature_orders,
    harmonic_degrees,
    power,
    upload_orders,
)
from tnqml.spectrum.sampling import Effective, Samples, effective_features, sample
from tnqml.spectrum.tables import Table, axes, coefficient, coefficients, marginal
from tnqml.spectrum.uploads import Axis, Merging

__all__ = [
    "Axis",
    "Effective",
    "Merging",
    "Power",
    "Profile",
    "Samples",
    "Sobol",
    "Table",
    "axes",
    "coefficient",
    "coefficients",
    "cost",
    "effective_features",
    "feature_orders",
    "harmonic_degrees",
    "marginal",
    "power",
    "sample",
    "sobol",
    "upload_orders",
]
