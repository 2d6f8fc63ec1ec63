"""Deployment documents that use the whole library, for the tests of both engines."""

from typing import Any

NOW = "2026-06-01T12:00:00Z"
LATER, EARLIER = "2026-06-01T12:00:01Z", "2026-06-01T11:59:59.999999999Z"

IBAN = {"kind": "iban", "value": "DE02120300000000202051"}

GROUNDS: dict[str, Any] = {
    "self_access": True,
    "linked_account": {
        "links": {
            "account": {
                "string": {
                    "A1": [
                        {"kind": "account", "value": "B7", "expires_at": LATER},
                        {"kind": "account", "value": "B8", "expires_at": EARLIER},
                        {"kind": "account", "value": 42, "expires_at": None},
                    ],
                    "42": [{"kind": "account", "value": "text", "expires_at": None}],
                },
                "number": {"42": [{"kind": "account", "value": "number", "expires_at": None}]},
            }
        }
    },
    "representative": {
        "delegations": {
            "https://partners.example.org": {
                "account": {"string": {"A1": {"agent-7": LATER, "agent-8": EARLIER}}}
            },
            "https://id.example.org": {
                "account": {
                    "string": {"A1": {"agent-9": "2027-01-01T00:00:00+01:00"}},
                    "number": {"42": {"agent-7": LATER}},
                }
            },
        }
    },
    "guardian": {
        "age_limits": {"DE": 16, "AT": 14},
        "wards": {
            "account": {
                "string": {
                    "A1": [
                        {
                            "kind": "account",
                            "value": "K1",
                            "born": "2010-06-03",
                            "jurisdiction": "DE",
                            "expires_at": None,
                        },
                        {
                            "kind": "account",
                            "value": "K2",
                            "born": "2010-06-02",
                            "jurisdiction": "DE",
                            "expires_at": None,
                        },
                        {
                            "kind": "account",
                            "value": "K3",
                            "born": "2012-02-29",
                            "jurisdiction": "AT",
                            "expires_at": LATER,
                        },
                    ]
                }
            }
        },
    },
    "consent": {
        "claim": "consent_id",
        "consents": {
            "client": {
                "string": {
                    "PSDDE-BAFIN-1": {
                        "c-1": {"resources": [IBAN], "expires_at": LATER, "revoked_at": None},
                        "c-2": {"resources": [IBAN], "expires_at": EARLIER, "revoked_at": None},
                        "c-3": {"resources": [IBAN], "expires_at": LATER, "revoked_at": EARLIER},
                    }
                }
            }
        },
    },
    "case_officer": {
        "role": "dpo",
        "purpose_claim": "purpose",
        "case_claim": "case",
        "cases": {
            "2026-17": {
                "purpose": "breach-inquiry",
                "status": "open",
                "subjects": [
                    {"kind": "account", "value": "A9"},
                    {"kind": "account", "value": 42},
                    {"kind": "account", "value": "A1"},
                ],
                "expires_at": LATER,
            },
            "2026-18": {
                "purpose": "breach-inquiry",
                "status": "closed",
                "subjects": [{"kind": "account", "value": "A9"}],
                "expires_at": LATER,
            },
        },
    },
    "participant": {
        "conversations": {
            "account": {
                "string": {
                    "A1": [
                        {"kind": "conversation", "value": "C1", "expires_at": None},
                        {"kind": "conversation", "value": "C2", "expires_at": EARLIER},
                    ]
                }
            }
        }
    },
}

RESTRICTIONS: dict[str, Any] = {
    "special_category": {
        "categories": ["diary"],
        "exceptions": {"patient": {"health": "GDPR Art. 9(2)(h)"}},
    },
    "third_person_fields": {
        "masks": {"chat": ["$.partner", "$['contacts'][*].phone"], "voice": ["$.*"]}
    },
    "never_disclose": {
        "masks": ["$.ssn", "$.customer.ssn", '$["tax id"]', {"path": "$.iban", "keep": 4}]
    },
    "entitled_categories": {
        "required": {"voice": "voice_device", "health": "patient", "diary": "patient"},
        "open": ["order"],
        "holders": {"account": {"string": {"A1": ["patient"], "A9": ["voice_device"]}}},
    },
}

PARTIAL = {"voice": "redact", "chat": "redact", "orders": "block"}
SCOPES = {"scoped": ["export", "read"]}

FULL: dict[str, Any] = {
    "grounds": GROUNDS,
    "restrictions": RESTRICTIONS,
    "partial": PARTIAL,
    "scopes": SCOPES,
}
"""Every ground and every restriction."""


def only(*grounds: str, **restrictions: Any) -> dict[str, Any]:
    """FULL with some grounds, and restrictions by name: their data of FULL for True."""
    return {
        "grounds": {name: GROUNDS[name] for name in grounds},
        "restrictions": {
            name: RESTRICTIONS[name] if setting is True else setting
            for name, setting in restrictions.items()
        },
        "partial": PARTIAL,
        "scopes": SCOPES,
    }


_MASKS = [
    "$.ssn", "$.*", "$[*].x", "$['a.b']['c']", "$['it\\'s']", '$["ssn"].x', "$", "ssn", "",
    "$.größe", "$.\u017fsn", "$.a[*]", "$..a", "$.a b", {"path": "$.ssn", "pseudonym": True},
    {"path": "$.x", "text": "[removed]"}, {"path": "$.x"}, {"path": 42, "keep": 4}, {}, 42, None,
    ["$.ssn"],
]  # fmt: skip

_MOMENTS = [
    LATER, NOW, None, 0, True, "", [], {}, "2026-06-01 12:00:01Z",
    "2026-06-01t12:00:01Z", "2026-06-01T12:00:01z", "2026-06-01T12:00:01Z\n",
    "2026-06-01T12:00:00,5Z", "2026-06-01T12:00:60Z", "2026-06-01T24:00:00Z", "2026-06-01T1:00:00Z",
    "2026-06-01T12:00:01+24:00", "2026-06-01T12:00:01+14:60", "9999-12-31T23:59:59Z",
    "2026-06-01T12:00:01\u221202:00", "2026-06-01T12:00:01.1234567890Z", "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00Z", "2199-12-31T23:59:59Z", "2026-06-01T16:00:00+23:59",
]  # fmt: skip

_BORN = [
    "2010-06-03",
    "2026-06-02",
    "2010-6-3",
    "2010-02-31",
    "",
    None,
    20100603,
    "1899-01-01",
    "x",
]

_AGES: list[Any] = [16, 0, 21, 22, -1, 15.5, 16.0, "16", None, [16]]

HOSTILE: list[dict[str, Any]] = [
    # Moments of every shape, wherever one belongs.
    {
        "grounds": {
            "linked_account": {
                "links": {
                    "account": {
                        "string": {
                            "A1": [
                                {"kind": "account", "value": f"B{number}", "expires_at": moment}
                                for number, moment in enumerate(_MOMENTS)
                            ]
                        }
                    }
                }
            },
            "representative": {
                "delegations": {
                    "https://partners.example.org": {
                        "account": {
                            "string": {
                                "A1": {
                                    f"agent-{number}": moment
                                    for number, moment in enumerate(_MOMENTS)
                                    if isinstance(moment, str)
                                }
                            }
                        }
                    }
                }
            },
        },
        "partial": PARTIAL,
    },
    # Birth dates and ages of every shape.
    {
        "grounds": {
            "self_access": True,
            "guardian": {
                "age_limits": {f"J{number}": age for number, age in enumerate(_AGES)},
                "wards": {
                    "account": {
                        "string": {
                            "A1": [
                                {
                                    "kind": "account",
                                    "value": f"B{number}",
                                    "born": born,
                                    "jurisdiction": f"J{number % len(_AGES)}",
                                    "expires_at": None,
                                }
                                for number, born in enumerate(_BORN * 2)
                                if isinstance(born, str)
                            ]
                        }
                    }
                },
            },
        },
        "partial": PARTIAL,
    },
    # Masks of every shape.
    {
        "grounds": {"self_access": True},
        "restrictions": {
            "never_disclose": {"masks": _MASKS[:6]},
            "third_person_fields": {"masks": {"chat": _MASKS[6:7], "voice": _MASKS[7:]}},
        },
        "partial": PARTIAL,
    },
    # Lists in the place of registers, registers in the place of lists, and other mistakes.
    {
        "grounds": {
            "self_access": "true",
            "linked_account": {"links": [{"kind": "account", "value": "B7"}]},
            "representative": {"delegations": None},
            "guardian": {"age_limits": [], "wards": {"account": {"string": {"A1": {"kind": "x"}}}}},
            "consent": {"claim": None, "consents": {"client": {"string": {"PSDDE-BAFIN-1": []}}}},
            "case_officer": {"role": ["dpo"], "cases": [], "case_claim": 1, "purpose_claim": {}},
            "participant": {"conversations": {"account": {"string": {"A1": ["C1", None, 5]}}}},
            "unknown": {"a": 1},
        },
        "partial": {"voice": "redact", "chat": True},
        "scopes": {"orders": [], "chat": "export", "voice": [1]},
    },
    # Restrictions without their data, or with something else.
    *(
        {"grounds": {"self_access": True}, "restrictions": restrictions, "partial": PARTIAL}
        for restrictions in (
            {"special_category": True},
            {"special_category": {"categories": [1, None, "voice", ["x"]], "exceptions": [1]}},
            {"third_person_fields": {"masks": {"chat": "$.partner"}}},
            {"entitled_categories": {"required": {"voice": None}, "open": "voice", "holders": {}}},
            {"entitled_categories": {"required": {}, "holders": {"account": {"string": [1]}}}},
            {"nobody_knows": {}, "never_disclose": False},
        )
    ),
    {"grounds": {"self_access": True}, "restrictions": ["special_category"]},
    {"grounds": {"self_access": True}, "scope": {"scoped": ["export"]}},
    {"grounds": ["self_access"], "partial": PARTIAL},
    {},
]
"""Documents that no schema lets through. OPA loads its data by itself, and may still meet them."""
