"""The screen as Grafana's JSON, by Grafana's own library of types."""

import json
from collections.abc import Iterator
from typing import Any, assert_never

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
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from dashboards import screen
from dashboards.panels import Colour, Kind, Limits, Moment, Panel, Query, Row, Unit, Variable

COLUMNS = 24
ALERTS = "PrivacyGateway"
"""What every alert's name begins with; panels name their alerts without it."""
SOURCE = options.DataSourceRef(type_val="prometheus", uid="${datasource}")
_AnyPanel = timeseries.Panel | stat.Panel | bargauge.Panel | statetimeline.Panel | table.Panel


def rendered() -> str:
    """The dashboard's file: the same text from the same screen."""
    model = json.loads(json.dumps(_dashboard().build(), cls=JSONEncoder))
    for each in (*model["links"], *model["annotations"]["list"]):
        each.pop("placement")  # the library hides them all in a menu, and knows no other place
    return json.dumps(model, indent=2, ensure_ascii=False) + "\n"


def _dashboard() -> dashboard.Dashboard:
    board = (
        dashboard.Dashboard(screen.TITLE)
        .uid(screen.UID)
        .description(screen.ABOUT)
        .tags(["privacy-gateway"])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables([*_variables()])
        .annotations([_moment(each) for each in screen.MOMENTS])
        .link(_link("Runbooks", "$runbooks/").tooltip("What each alert means, and what to do"))
    )
    y, number = 0, 0
    for row in screen.ROWS:
        line = (
            dashboard.Row(row.question)
            .id(number := number + 1)
            .grid_pos(models.GridPos(h=1, w=COLUMNS, x=0, y=y))
            .collapsed(row.folded)
        )
        panels: list[_AnyPanel] = []
        for panel, place in placed(row, y + 1):
            panels.append(_panel(panel).id(number := number + 1).grid_pos(place))
            y = place.y
        y += row.height
        if row.folded:
            for each in panels:
                line.with_panel(each)
        board.with_row(line)
        if not row.folded:
            for each in panels:
                board.with_panel(each)
    return board


def placed(row: Row, y: int) -> Iterator[tuple[Panel, models.GridPos]]:
    """From left to right, and on below where a line is full. Raises ValueError over a ragged one.

    (In the library's `with_panel`, what is at 0, 0 has no place yet; no panel is ever there.)
    """
    x = 0
    for panel in row.panels:
        if x + panel.width > COLUMNS:
            raise ValueError(f"{panel.title} does not fit beside what is left of it")
        yield panel, models.GridPos(h=row.height, w=panel.width, x=x, y=y)
        x += panel.width
        if x == COLUMNS:
            x, y = 0, y + row.height
    if x:
        raise ValueError(f"{row.question} ends at column {x}")


def _variables() -> Iterator[Any]:
    yield (
        dashboard.DatasourceVariable("datasource")
        .label("Prometheus")
        .type("prometheus")
        .current(models.VariableOption(text="default", value="default"))
    )
    for each in screen.VARIABLES:
        yield _variable(each)
    yield dashboard.ConstantVariable("runbooks").label("Runbooks").value(screen.RUNBOOKS)


def _variable(variable: Variable) -> dashboard.QueryVariable:
    question = f"label_values({variable.metric}, {variable.name})"
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(SOURCE)
        .query({"query": question, "refId": variable.name})
        .definition(question)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _moment(moment: Moment) -> dashboard.AnnotationQuery:
    """A series whose value is the moment, in the milliseconds that Grafana wants."""
    return (
        dashboard.AnnotationQuery()
        .name(moment.name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(moment.colour)
        .expr(f"1000 * {moment.expr}")
        .title_format(moment.title)
        .step("15s")
        .use_value_for_time(True)
    )


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(url)
        .icon("doc")
        .target_blank(True)
    )


def _runbook(alert: str) -> dashboard.DashboardLink:
    return _link(f"Runbook: {alert}", f"$runbooks/{ALERTS}{alert}.md")


def _panel(panel: Panel) -> _AnyPanel:
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
    if limits and limits.below:
        steps = [(None, Colour.BAD), (limits.bad, Colour.WARNING), (limits.warning, Colour.GOOD)]
    elif limits:
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


def _shape(panel: Panel) -> _AnyPanel:
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
