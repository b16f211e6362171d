"""Measures of expressivity, each with a forecast of its cost, and the classical mirror."""

from tnqml.expressivity.draws import Inputs, Sampler, uniform
from tnqml.expressivity.effective_dimension import (
    EffectiveDimension,
    EffectiveDimensionResult,
    effective_dimension,
)
from tnqml.expressivity.entanglement import (
    CutEntropy,
    EntanglementResult,
    MeyerWallach,
    page_entropy,
    party_cut,
)
from tnqml.expressivity.estimate import Estimate
from tnqml.expressivity.expressibility import (
    Expressibility,
    ExpressibilityResult,
    divergence_from_haar,
)
from tnqml.expressivity.fisher import FisherInformation, FisherResult
from tnqml.expressivity.forecast import Forecast, Measure
from tnqml.expressivity.gradients import GradientVariance, GradientVarianceResult
from tnqml.expressivity.jacobian import JacobianRank, JacobianResult
from tnqml.expressivity.kernel import KernelResult, KernelSpectrum
from tnqml.expressivity.mirror import FittedMirror, Mirror, relative_error
from tnqml.expressivity.mirror_size import FeaturesNeeded, FeaturesNeededResult
from tnqml.expressivity.planted import Planted, Term, planted
from tnqml.expressivity.span import (
    Family,
    FunctionSpan,
    Rank,
    Span,
    numerical_rank,
    span_dimension,
)

__all__ = [
    "CutEntropy",
    "EffectiveDimension",
    "EffectiveDimensionResult",
    "EntanglementResult",
    "Estimate",
    "Expressibility",
    "ExpressibilityResult",
    "Family",
    "FeaturesNeeded",
    "FeaturesNeededResult",
    "FisherInformation",
    "FisherResult",
    "FittedMirror",
    "Forecast",
    "FunctionSpan",
    "GradientVariance",
    "GradientVarianceResult",
    "Inputs",
    "JacobianRank",
    "JacobianResult",
    "KernelResult",
    "KernelSpectrum",
    "Measure",
    "MeyerWallach",
    "Mirror",
    "Planted",
    "Rank",
    "Sampler",
    "Span",
    "Term",
    "divergence_from_haar",
    "effective_dimension",
    "numerical_rank",
    "page_entropy",
    "party_cut",
    "planted",
    "relative_error",
    "span_dimension",
    "uniform",
]
