"""Every query of the dashboard, asked of a real Prometheus that scrapes real gateways."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dashboards.answers import ask, named, panels
from dashboards.grafana import rendered
from dashboards.interpolation import View
from dashboards.play import play
from dashboards.scene import Scene, stage
from dashboards.screen import ROWS, VARIABLES

BOARD: dict[str, Any] = json.loads(rendered())
MAY_BE_EMPTY = {
    (panel.title, query.expr)
    for row in ROWS
    for panel in row.panels
    for query in panel.queries
    if query.may_be_empty
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Two rounds of everything that can happen, each one scraped."""
    async with stage(tmp_path_factory.mktemp("scene")) as played:
        for _ in range(2):
            await played.round()
            await played.scraped()
        await played.prometheus.until(
            "count(sum by (slo) (job:privacy_gateway_slo_events:count5m) > 0) == 3"
        )
        # Its floor is another group's: what was evaluated before that one holds no number.
        await played.prometheus.until(
            "count(endpoint:privacy_gateway_exchanges_stopped:threshold1h > 0) > 0"
        )
        yield played


def view(**chosen: list[str]) -> View:
    return View(range=120, step=15, scrape=15, chosen=chosen)


def targets() -> list[Any]:
    return [
        pytest.param(panel, target, id=f"{panel['title']}: {target['legendFormat']}")
        for panel in panels(BOARD)
        for target in panel["targets"]
    ]


@pytest.mark.parametrize(("panel", "target"), targets())
@pytest.mark.asyncio(loop_scope="module")
async def test_every_query_of_every_panel_has_an_answer(
    scene: Scene, panel: Any, target: Any
) -> None:
    found = await ask(scene.prometheus, target, view(), time.time())
    if (panel["title"], target["expr"]) not in MAY_BE_EMPTY:
        assert found, target["expr"]
    assert all("{{" not in series.name for series in found), "a legend without its label"


@pytest.mark.parametrize(("panel", "target"), targets())
@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_chosen_above_is_what_is_asked(
    scene: Scene, panel: Any, target: Any
) -> None:
    """Of a namespace that is not there: nothing, or nought. What is nobody's stays as it is."""
    if "$namespace" not in target["expr"]:
        assert target["legendFormat"] == "bound"
        return
    found = await ask(scene.prometheus, target, view(namespace=["elsewhere"]), time.time())
    assert all(value == 0 for series in found for value in series.values)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_chosen_endpoint_is_the_only_one_that_is_shown(scene: Scene) -> None:
    chosen, seen = view(endpoint=["orders"]), set()
    for panel in panels(BOARD):
        for target in panel["targets"]:
            for series in await ask(scene.prometheus, target, chosen, time.time()):
                seen.add(series.labels.get("endpoint", "orders"))
    assert seen == {"orders"}


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda each: each.name)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_variable_has_its_values(scene: Scene, variable: Any) -> None:
    found = await scene.prometheus.query(view().interpolated(variable.metric))
    values = {sample.labels.get(variable.name, "") for sample in found}
    assert values == {""} if variable.name == "namespace" else values - {""}


@pytest.mark.parametrize("moment", BOARD["annotations"]["list"], ids=lambda each: each["name"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_vertical_line_stands_where_it_happened(scene: Scene, moment: Any) -> None:
    found = await scene.prometheus.query(view().interpolated(moment["expr"]))
    assert len(found) >= len(scene.gateways)
    for sample in found:
        assert time.time() - 300 < sample.value / 1000 < time.time()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_screen_tells_what_was_played(scene: Scene) -> None:
    shown = {}
    for panel in panels(BOARD, folded=False):
        for target in panel["targets"]:
            for series in await ask(scene.prometheus, target, view(), time.time()):
                shown[panel["title"], series.name] = series.values[-1]
    ended = "Exchanges, by how they ended"
    for name in ("released", "redacted", "blocked", "refused", "observed"):
        assert shown[ended, name] > 0, name
    for cause in ("token_missing", "token_expired", "body_malformed", "endpoint_unknown"):
        assert shown["Refused, by cause", cause] > 0
    stopped = "Misdeliveries stopped, by endpoint"
    assert {name for title, name in shown if title == stopped and shown[title, name] > 0} == {
        "orders", "messages", "visits", "voice-archive",
    }  # fmt: skip
    assert all(shown["Must be nought", name] == 0 for name in ("bytes uninspected",))
    assert ("Failing open: observed endpoints", "endpoint=profile") in shown
    assert shown["Checks behind /readyz", "self_proof"] == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_an_incident_is_played_and_seen(scene: Scene) -> None:
    """The picture's play, in three seconds. It ends with another gateway in the place of one."""
    before = [gateway.process.pid for gateway in scene.gateways]
    await play(scene, 3.0)
    await scene.scraped()
    after = [gateway.process.pid for gateway in scene.gateways]
    assert before[0] == after[0] and before[1] != after[1]
    activated = await scene.prometheus.query("privacy_gateway_policy_info")
    assert any("shipped-2" in sample.labels["revision"] for sample in activated)


def test_a_legend_is_made_of_labels() -> None:
    labels = {"active": "redact", "shadow": "block", "reason": "none"}
    assert named("{{active}} → {{shadow}}: {{reason}}", labels) == "redact → block: none"
    assert named("__auto", {"b": "2", "a": "1"}) == "a=1, b=2"
    assert named("half", labels) == "half"


def test_folded_panels_are_left_out_where_they_are_not_wanted() -> None:
    assert len([*panels(BOARD)]) > len([*panels(BOARD, folded=False)]) == 16
