"""Valid events of every type, as the plain objects that a JSON line holds."""

from __future__ import annotations

import json
from typing import Any

ENVELOPE: dict[str, Any] = {
    "v": 1,
    "id": "0190a0b2-1111-7222-8333-444455556666",
    "pump": "pump-0001",
    "source": "clinic",
    "at": "2026-01-31T08:00:00.000000Z",
}
WINDOW = {"from": "2026-01-31T08:00:00Z", "to": "2026-01-31T10:00:00+01:00"}

PAYLOADS: dict[str, dict[str, Any]] = {
    "pump_registered": {
        "model": "bench",
        "reservoir_ml": 40,
        "low_reservoir_ml": 2.0,
        "dead_volume_ul": 199,
        "min_rate_ul_h": 2.0,
        "max_rate_ul_h": 1000.0,
        "flow_tolerance": 0.145,
        "encoder_ul_per_count": 0.5,
        "encoder_wrap_ul": 65536.0,
        "compliance_ul_per_kpa": 0.2,
        "pressure_limit_kpa": 300,
        "stability_days": 90,
        "high_risk": True,
        "site": "ward-3",
        "upload_every_s": 3600,
    },
    "reservoir_filled": {"removed_ml": None, "filled_ml": 20, "concentration_ug_ml": 500, "drug": "baclofen"},
    "program_set": {
        "mode": "flex",
        "steps": [{"minute": 0, "rate_ul_h": 4.5}, {"minute": 1439, "rate_ul_h": 0, "days": [0, 6]}],
        "utc_offset_min": 60,
        "periodic_bolus": {"volume_ul": 2.5, "every_s": 3600, "duration_s": 60},
    },
    "bolus": {
        "kind": "therapeutic",
        "programmed_ul": 50,
        "delivered_ul": 0,
        "duration_s": 600,
        "dose_ug": 25,
        "route": "pump",
    },
    "suspended": {"reason": "sedation"},
    "resumed": {},
    "telemetry": {
        "t_s": [0, 60.0, 60.0, 120.5],
        "delivered_ul": [0, 0.25, 0.5, None],
        "pressure_kpa": [-1.5, None, 3, 2.25],
        "stalled": [0, 0, 1, 0],
    },
    "device_alarm": {"code": "low_reservoir", "text": "reservoir below 2 mL"},
    "volume_reported": {"ledger": "delivered", "value_ul": 0, **WINDOW},
    "note": {"kind": "mri_window", "text": "3 T", **WINDOW},
    "assessment": {"scale": "ashworth", "score": 4, "site": "left knee"},
    "alert_ack": {"alert_id": "abc", "cause": "occlusion", "actor": "nurse-1", "reason": "seen"},
    "alert_shelved": {"cause": "leak", "until": "2026-01-31T20:00:00Z"},
    "pump_explanted": {"reason": "end of service"},
}


def fields(event_type: str, **changes: Any) -> dict[str, Any]:
    """A valid event of a type as a plain object; a changed field of `...` is taken out."""
    whole = {"type": event_type, **ENVELOPE, **PAYLOADS[event_type], **changes}
    return {name: content for name, content in whole.items() if content is not ...}


def line(event_type: str, **changes: Any) -> bytes:
    """A valid event of a type as JSON line."""
    return json.dumps(fields(event_type, **changes)).encode()
