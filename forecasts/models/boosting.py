"""The options that all boosted trees share."""

from __future__ import annotations

from pydantic import Field

from mela.fields import Part, Real, Whole


class Boosting(Part):
    """The number of trees, their size, and the learning rate."""

    trees: Whole = Field(default=100, ge=1, le=10_000, description="trees, one after the other")
    depth: Whole = Field(default=3, ge=1, le=16, description="comparisons from root to leaf")
    rate: Real = Field(default=0.05, gt=0, le=1, description="share of each tree that counts")
    leaf: Whole = Field(default=50, ge=1, le=1_000_000, description="samples in a leaf, at least")
    features: Real = Field(default=0.5, gt=0, le=1, description="share of features for a tree")
    sample: Real = Field(default=0.5, gt=0, le=1, description="share of samples for a tree")
    penalty: Real = Field(default=1.0, ge=0, le=1e6, description="of squared leaves")
