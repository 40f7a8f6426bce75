"""Routes of the catalogue: strategies, metrics, the schema of a scene."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.caller import Reader
from api.context import AppSettings
from api.models.catalogue import (
    BrokenStrategy,
    LookaheadCheck,
    MetricDefinition,
    MetricList,
    SceneSchema,
    Strategies,
    StrategyBest,
    StrategyDetail,
    StrategyRow,
)
from mela.metrics import DEFINITIONS, title
from mela.schemas import json_schema
from services import strategy_catalogue

router = APIRouter(tags=["catalogue"])


@router.get("/strategies", response_model=Strategies)
def list_strategies(caller: Reader, settings: AppSettings) -> Strategies:
    """List the strategies of the catalogue, and the files that could not be loaded."""
    items, broken = strategy_catalogue.every(settings, caller)
    return Strategies(
        items=tuple(StrategyRow.of(one) for one in items),
        broken=tuple(BrokenStrategy.of(one) for one in broken),
    )


@router.get("/strategies/{name}", response_model=StrategyDetail)
def get_strategy(
    name: Annotated[str, Path(max_length=100)], caller: Reader, settings: AppSettings
) -> StrategyDetail:
    """Return a strategy: its parameters, its source, its last lookahead check, its record."""
    found = strategy_catalogue.in_full(settings, caller, name)
    return StrategyDetail(
        **StrategyRow.of(found.row).__dict__,
        description=found.description,
        schema_=dict(found.schema),
        defaults=dict(found.defaults),
        warmup=found.warmup,
        inputs=found.inputs,
        source=found.source,
        file=found.file,
        check=LookaheadCheck.of(found.check),
        record=tuple(StrategyBest.of(one) for one in found.record),
        runs=found.runs,
    )


@router.get("/metrics", response_model=MetricList)
def list_metrics(_: Reader) -> MetricList:
    """List all metrics with their definitions."""
    return MetricList(
        items=tuple(
            MetricDefinition(
                name=name,
                title=title(name),
                unit=one.unit,
                better=one.better,
                definition=one.meaning,
                undefined=one.undefined,
            )
            for name, one in DEFINITIONS.items()
        )
    )


@router.get("/schemas/scene", response_model=SceneSchema)
def get_scene_schema(_: Reader) -> SceneSchema:
    """Return the JSON Schema of a scene."""
    return SceneSchema(schema_=json_schema("scene"))
