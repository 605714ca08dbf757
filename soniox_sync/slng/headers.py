"""Where the SLNG gateway is, and what its headers say: zones, ids for reports (PROTOCOL 8.1)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Optional, Union

from .._support.checks import encoded, nearest, refused, wrong_type, wrong_value
from ..config._urls import check_gateway_url
from ..config._values import Unchosen

Zones = Union[str, Sequence[str]]

GLOBAL_URL = "wss://api.slng.ai"
ENV_SLNG_BASE_URL = "SLNG_BASE_URL"
# each has a host of its own, and requests are not routed between them (PROTOCOL 8.1)
REGIONS = (
    *("eu-north", "eu-west", "us-east", "us-west"),
    *("au", "br", "gb", "id", "il", "in", "jp", "sg", "za"),
)
# such as ap-southeast-2: those that the global host has are documented nowhere
_DATA_CENTER = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+")
MAX_TRACKING_ID_CHARS = 128


def placed(
    base_url: str, world_part: Optional[Zones], region: Optional[Zones]
) -> tuple[str, dict[str, str]]:
    """Return the gateway's URL, and the headers with the zones that it is asked for.

    region="us-east"      -> wss://us-east.api.slng.ai, no headers
    region="eu-north-1"   -> wss://api.slng.ai, X-Region-Override: eu-north-1
    region="eu"           -> ConfigurationError: did you mean 'eu-north' or 'eu-west'?

    The environment's SLNG_BASE_URL replaces the global host only.
    """
    asked = {
        "X-World-Part-Override": _zones("world_part", world_part),
        "X-Region-Override": _zones("region", region),
    }
    names = [] if region is None else (asked["X-Region-Override"] or "").split(", ")
    names = [part.lower() for name in names for part in name.split(",")]
    for name in names:
        _check_region(name)
    url = _global_url()
    if not {*names}.isdisjoint(REGIONS):
        if len(names) > 1:
            advice = "each has a host of its own, so a client is for one of them"
            raise wrong_value("region", "a single region, or data centers only", region, advice)
        if world_part is not None:
            advice = "it serves the request itself, so leave one of the two out"
            raise refused("world_part", "None with a region that has its own host", "both", advice)
        url, asked = f"wss://{names[0]}.api.slng.ai", {}
    if not isinstance(base_url, Unchosen):
        url = check_gateway_url("base_url", base_url)
    return url, {name: value for name, value in asked.items() if value is not None}


def _check_region(name: str) -> None:
    """Refuse a name that is neither a region nor written like a data center."""
    if name in REGIONS or _DATA_CENTER.fullmatch(name):
        return
    close = [region for region in REGIONS if region.startswith(f"{name.partition('-')[0]}-")]
    found = nearest(name, REGIONS)
    close = close or ([found] if found else [])
    raise wrong_value(
        "region",
        f"one of {', '.join(map(repr, REGIONS))}, or a data center such as 'eu-north-1'",
        name,
        f"did you mean {' or '.join(map(repr, close))}?" if close else "",
    )


def _global_url() -> str:
    given = os.environ.get(ENV_SLNG_BASE_URL, "").strip()
    return check_gateway_url(ENV_SLNG_BASE_URL, given) if given else GLOBAL_URL


def tracking_headers(agent_id: Optional[str], session_id: Optional[str]) -> dict[str, str]:
    """Return the headers of the ids that are given."""
    given = {
        "X-SLNG-Agent-Id": _tracking_id("agent_id", agent_id),
        "X-SLNG-Session-Id": _tracking_id("session_id", session_id),
    }
    return {name: value for name, value in given.items() if value is not None}


def _tracking_id(name: str, value: Optional[str]) -> Optional[str]:
    """Return an id without the blanks round it; refuse what the gateway refuses."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(name, "a str", value)
    found = value.strip()
    encoded(name, found)
    if not 1 <= len(found) <= MAX_TRACKING_ID_CHARS:
        expected = f"1 to {MAX_TRACKING_ID_CHARS} characters"
        raise refused(name, expected, str(len(found)))
    if any(ch == "," or ch < " " or "\x7f" <= ch <= "\x9f" for ch in found):
        raise wrong_value(name, "an id without commas and control characters", value)
    return found


def _zones(name: str, value: Optional[Zones]) -> Optional[str]:
    """Check one zone, or several in order of preference, and return the header's value."""
    if value is None:
        return None
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not all(isinstance(each, str) for each in given):
        raise wrong_type(name, "a str or a list of str", value)
    zones = [each.strip() for each in given]
    if not zones or not all(each and all("!" <= ch <= "~" for ch in each) for each in zones):
        raise wrong_value(name, "a name such as 'eu' or 'eu-north-1'", value)
    return ", ".join(zones)
