"""What an NWB file says about its session: who, when, which protocol, and where the file comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from decoderd.recording.export.reading import DayReader

# A recording knows no date: day 1 is this one, and each day follows the one before.
DAY_ONE = datetime(2000, 1, 1, tzinfo=UTC)
# "synthetic construct" in the taxonomy that NWB asks for.
SPECIES = "http://purl.obolibrary.org/obo/NCBITaxon_32630"


def nwb_file(reader: DayReader, about: Mapping[str, Any]) -> Any:
    """A `pynwb.NWBFile` without data; `about` is the provenance."""
    import pynwb

    protocol, day, name = reader.protocol, reader.day, about["session"]
    text = (
        f"Day {day.number} of {protocol.schedule.days} of a simulated closed-loop session: task {protocol.task.kind}, "
        f"population {protocol.population.kind}, decoder {protocol.decoder.kind}. Times are those of the simulation, "
        f"and the date counts its days from {DAY_ONE:%Y-%m-%d}."
    )
    file = pynwb.NWBFile(
        session_description=text,
        identifier=f"{about['digest']}-day-{day.number}",
        session_start_time=DAY_ONE + timedelta(days=day.number - 1),
        session_id=f"{name}-day-{day.number}",
        experimenter=["decoderd, simulation"],
        institution="none: simulated by decoderd",
        experiment_description="Closed-loop control of a cursor by a simulated brain-computer interface.",
        keywords=["brain-computer interface", "closed loop", "simulation", "decoderd"],
        protocol=json.dumps(about["protocol"], indent=1),
        notes=json.dumps({field: value for field, value in about.items() if field != "protocol"}, indent=1),
        source_script=f"decoderd export --to nwb, decoderd {about['exported_by']}",
        source_script_file_name="decoderd",
    )
    file.subject = pynwb.file.Subject(
        subject_id=name,
        description="A simulated subject and population of units; nothing was recorded of an animal or a person.",
        species=SPECIES,
        sex="U",
        age="P0D",
    )
    return file
