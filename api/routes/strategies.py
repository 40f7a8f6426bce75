"""What can be asked: strategies, metrics, the schema of a scene."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.caller import Reader
from api.context import AppSettings
from api.models.catalogue import MetricList, SceneSchema, Strategies, StrategyDetail

router = APIRouter(tags=["catalogue"])


@router.get("/strategies", response_model=Strategies)
def list_strategies(caller: Reader, settings: AppSettings) -> Strategies:
    """List the strategies of the catalogue, and the files that could not be loaded."""
    raise NotImplementedError


@router.get("/strategies/{name}", response_model=StrategyDetail)
def get_strategy(
    name: Annotated[str, Path(max_length=100)], caller: Reader, settings: AppSettings
) -> StrategyDetail:
    """Return a strategy: its parameters, its source, its last lookahead check, its record."""
    raise NotImplementedError


@router.get("/metrics", response_model=MetricList)
def list_metrics(caller: Reader) -> MetricList:
    """List all metrics with their definitions."""
    raise NotImplementedError


@router.get("/schemas/scene", response_model=SceneSchema)
def get_scene_schema(caller: Reader) -> SceneSchema:
    """Return the JSON Schema of a scene."""
    raise NotImplementedError
