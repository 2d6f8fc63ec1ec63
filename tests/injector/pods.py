"""Pods as nobody would write them."""

from hypothesis import strategies as st

from gateway.injector.wishes import Wishes
from tests.support.pods import INJECT

_text = st.text("ab/~0\u00e4", max_size=4)
_leaf = st.sampled_from([None, True, False, 0, 1.5, 8080, 2**70, "", "true", "Always", "windows"])
_key = st.sampled_from(["name", "ports", "containerPort", "protocol", "fsGroup", "a/b~c"])
anything = st.recursive(
    _leaf | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_key, inner, max_size=3),
    max_leaves=6,
)
_named = st.builds(
    lambda name, rest: {**rest, "name": "p-" + name}, _text, st.dictionaries(_text, _leaf)
)
_list = st.none() | st.lists(_named, max_size=3)
_asking = st.just({INJECT: "true"})

pods = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"annotations": _asking},
            optional={"labels": st.none() | st.dictionaries(_text, _text, max_size=3)},
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(_named, min_size=1, max_size=3)},
            optional={
                "initContainers": _list,
                "volumes": _list,
                "terminationGracePeriodSeconds": st.none() | st.integers(0, 10_000),
                "securityContext": st.sampled_from([None, {}, {"fsGroup": 1}]),
                "a/b~c": anything,
            },
        ),
    }
)
"""Pods that ask for the sidecar, and can have it."""

broken = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"annotations": _asking}, optional={"labels": anything, "ownerReferences": anything}
        )
    },
    optional={
        "spec": anything
        | st.dictionaries(
            st.sampled_from(
                [
                    "containers", "initContainers", "volumes", "hostNetwork", "os", "nodeSelector",
                    "securityContext", "terminationGracePeriodSeconds",
                ]
            ),
            anything | st.lists(st.dictionaries(_key, anything), max_size=2),
        )
    },
)  # fmt: skip
"""Pods that ask for it, and that no API server would let through."""

wishes = st.builds(Wishes, st.none() | st.integers(1, 65535), st.none() | st.just("mine"))
