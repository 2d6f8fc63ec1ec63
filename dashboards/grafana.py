"""The screen as Grafana's JSON, by Grafana's own library of types."""

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from dashboards import screen
from dashboards.panels import Moment, Panel, Row, Variable
from dashboards.shapes import SOURCE, AnyPanel, built, link

COLUMNS = 24


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
        .link(link("Runbooks", "$runbooks/").tooltip("What each alert means, and what to do"))
    )
    y, number = 0, 0
    for row in screen.ROWS:
        line = (
            dashboard.Row(row.question)
            .id(number := number + 1)
            .grid_pos(models.GridPos(h=1, w=COLUMNS, x=0, y=y))
            .collapsed(row.folded)
        )
        panels: list[AnyPanel] = []
        for panel, place in placed(row, y + 1):
            panels.append(built(panel).id(number := number + 1).grid_pos(place))
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
