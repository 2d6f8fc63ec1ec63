"""Panels as Grafana's own library builds them: one shape for each kind."""

from collections.abc import Iterator
from typing import assert_never

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from dashboards.panels import Colour, Kind, Limits, Panel, Query, Unit

SOURCE = options.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALERTS = "PrivacyGateway"
"""What every alert's name begins with; panels name their alerts without it."""
AnyPanel = timeseries.Panel | stat.Panel | bargauge.Panel | statetimeline.Panel | table.Panel


def link(title: str, url: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(url)
        .icon("doc")
        .target_blank(True)
    )


def _runbook(alert: str) -> dashboard.DashboardLink:
    return link(f"Runbook: {alert}", f"$runbooks/{ALERTS}{alert}.md")


def built(panel: Panel) -> AnyPanel:
    made = _shape(panel)
    made.title(panel.title).description(panel.good).datasource(SOURCE)
    made.targets([_target(panel, number) for number in range(len(panel.queries))])
    made.links([_runbook(name) for name in panel.alerts])
    made.unit(panel.unit).thresholds(thresholds(panel.limits))
    if panel.unit is Unit.SHARE:
        made.decimals(1)
    if panel.most is not None:
        made.max(panel.most)
    for number, query in enumerate(panel.queries):
        properties = [*_properties(panel, query)]
        if properties and panel.kind is not Kind.TABLE:
            made.override_by_query(letter(number), properties)
    return made


def _target(panel: Panel, number: int) -> prometheus.Dataquery:
    query = panel.queries[number]
    target = (
        prometheus.Dataquery()
        .ref_id(letter(number))
        .datasource(SOURCE)
        .editor_mode(prometheus_models.QueryEditorMode.CODE)
        .expr(query.expr)
        .legend_format(query.legend or "__auto")
        .exemplar(query.exemplars)
    )
    if instant(panel):
        target.instant()
    else:
        target.range()
    if panel.kind is Kind.TABLE:
        target.format(prometheus_models.PromQueryFormat.TABLE)
    return target


def instant(panel: Panel) -> bool:
    """Is only the newest value shown?"""
    return panel.kind in (Kind.NUMBERS, Kind.BARS, Kind.TABLE)


def letter(number: int) -> str:
    return chr(ord("A") + number)


def _properties(panel: Panel, query: Query) -> Iterator[models.DynamicConfigValue]:
    """What one query's series have of their own."""
    if query.colour:
        colour = {"mode": "fixed", "fixedColor": query.colour.value}
        yield models.DynamicConfigValue(id_val="color", value=colour)
    if query.bound:
        colour = {"mode": "fixed", "fixedColor": Colour.BAD.value}
        yield models.DynamicConfigValue(id_val="color", value=colour)
        dashes = {"fill": "dash", "dash": [10, 10]}
        yield models.DynamicConfigValue(id_val="custom.lineStyle", value=dashes)
    if query.unit:
        yield models.DynamicConfigValue(id_val="unit", value=query.unit.value)
        if panel.kind in (Kind.LINES, Kind.STACK):
            yield models.DynamicConfigValue(id_val="custom.axisPlacement", value="right")


def thresholds(limits: Limits | None) -> dashboard.ThresholdsConfig:
    """Good, warning, bad: from the lowest value up, as Grafana wants them."""
    steps: list[tuple[float | None, Colour]] = [(None, Colour.RELEASED)]
    if limits:
        steps = [(None, Colour.GOOD), (limits.warning, Colour.WARNING), (limits.bad, Colour.BAD)]
    steps = [steps[0], *(step for step in steps[1:] if step[0] is not None)]
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def _colours(mode: models.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _reduced() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def _shape(panel: Panel) -> AnyPanel:
    match panel.kind:
        case Kind.LINES | Kind.STACK | Kind.COLUMNS:
            return _graph(panel)
        case Kind.NUMBERS:
            return (
                stat.Panel()
                .reduce_options(_reduced())
                .text_mode(options.BigValueTextMode.VALUE_AND_NAME)
                .color_mode(options.BigValueColorMode.VALUE)
                .graph_mode(options.BigValueGraphMode.NONE)
                .color_scheme(_colours(models.FieldColorModeId.THRESHOLDS))
            )
        case Kind.BARS:
            return (
                bargauge.Panel()
                .reduce_options(_reduced())
                .orientation(options.VizOrientation.HORIZONTAL)
                .display_mode(options.BarGaugeDisplayMode.BASIC)
                .name_placement(options.BarGaugeNamePlacement.LEFT)
                .min(0)
                .color_scheme(_colours(models.FieldColorModeId.THRESHOLDS))
            )
        case Kind.STATES:
            held = {
                "0": models.ValueMappingResult(text="fails", color=Colour.BAD),
                "1": models.ValueMappingResult(text="holds", color=Colour.GOOD),
            }
            return (
                statetimeline.Panel()
                .mappings([models.ValueMap(options=held)])
                .show_value(options.VisibilityMode.NEVER)
                .legend(common.VizLegendOptions().show_legend(False))
            )
        case Kind.TABLE:
            return _table(panel)
        case never:
            assert_never(never)


def _graph(panel: Panel) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.RIGHT)
        .calcs([])
    )
    graph = (
        timeseries.Panel()
        .legend(legend)
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
        .color_scheme(_colours(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .show_points(options.VisibilityMode.NEVER)
        .line_width(1.5)
        .min(0)
    )
    if panel.kind is Kind.STACK:
        graph.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
        graph.fill_opacity(60).line_width(0.5)
    if panel.kind is Kind.COLUMNS:
        graph.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
        graph.draw_style(options.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    if panel.limits:
        graph.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
        )
    return graph


def _table(panel: Panel) -> table.Panel:
    made = table.Panel().cell_height(options.TableCellHeight.SM)
    names = [name for name, _ in panel.columns]
    if len(panel.queries) > 1:
        made.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    made.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "includeByName": dict.fromkeys(names, True),
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": dict(panel.columns),
            },
        )
    )
    headings = dict(panel.columns)
    for number, query in enumerate(panel.queries):
        if query.unit:
            made.override_by_name(
                headings[f"Value #{letter(number)}"], [*_properties(panel, query)]
            )
    if "severity" in headings:  # page before ticket, also by the alphabet
        made.sort_by([common.TableSortByFieldState().display_name(headings["severity"])])
    if "alertname" in headings:
        runbook = {"title": "Runbook", "url": "${runbooks}/${__value.raw}.md", "targetBlank": True}
        made.override_by_name(
            headings["alertname"], [models.DynamicConfigValue(id_val="links", value=[runbook])]
        )
    return made
