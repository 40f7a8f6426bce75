"""Features by name, and sets of them that compute a matrix."""

from forecasts.features.definition import FEATURES, Feature, Reading, feature
from forecasts.features.feature_set import FeatureSet

__all__ = ["FEATURES", "Feature", "FeatureSet", "Reading", "feature"]
