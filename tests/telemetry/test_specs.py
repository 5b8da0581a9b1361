"""The registry of what is recorded, and the one payload of a session."""

import msgspec
import pytest

from dagster_dfsession.errors import SessionError, SettingError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.telemetry.payloads import Payload, SessionTelemetry
from dagster_dfsession.telemetry.recorder import Recorder
from dagster_dfsession.telemetry.specs import SPEC_OF, SPECS, fingerprint_of

# Name, version -> fingerprint. A payload that changes needs another version, and then
# a line of its own here; the line of the old version goes.
KNOWN = {
    ("session", 1): "b4617d59134aa456ba888fe95626f471",
    ("materialization", 1): "84118c6b3076c8e72326b5600bdf5941",
    ("query", 1): "97167407c2660460d2774aee3d8d92a2",
    ("lease", 1): "bb72ef87af9e7fdd681053131aeb7528",
    ("failure", 1): "fb65c845fa6814d42ed4bd165ebe5f1c",
    ("teardown", 1): "6899f02b8281230b74ac029a02dc78ce",
}


@pytest.mark.demand("D68")
def test_a_payload_that_changes_gets_another_version() -> None:
    found = {(s.name, s.version): s.schema_fingerprint for s in SPECS.values()}

    assert found == KNOWN


def test_every_payload_has_one_spec() -> None:
    assert set(SPEC_OF) == set(Payload.__subclasses__())
    assert len(SPEC_OF) == len(SPECS)


def test_prose_is_not_in_the_fingerprint_and_fields_are() -> None:
    class Before(Payload, frozen=True):
        """A sentence."""

        a: int

    class Reworded(Payload, frozen=True):
        """Another one."""

        a: int

    class Changed(Payload, frozen=True):
        """A sentence."""

        a: int | None

    names = ("Before", "Reworded", "Changed")
    for each, name in zip((Before, Reworded, Changed), names, strict=True):
        each.__name__ = "Same"
        assert name != each.__name__

    assert fingerprint_of(Before) == fingerprint_of(Reworded)
    assert fingerprint_of(Before) != fingerprint_of(Changed)


@pytest.mark.demand("D68")
@pytest.mark.demand("D71")
@pytest.mark.demand("D75")
def test_a_session_has_one_payload_of_its_telemetry() -> None:
    with open_session(plan_session(SessionProfile(name="told"))) as session:
        told = session.telemetry(version=1)
        plain = msgspec.to_builtins(told)
        known = msgspec.json.schema(SessionTelemetry)["$defs"]["SessionTelemetry"]

        assert set(plain) == set(known["properties"])
        assert plain["version"] == 1
        assert plain["profile"] == "told"
        assert plain["plan_fingerprint"] == session.plan.fingerprint
        assert [each["phase"] for each in plain["phases"]] == [
            step.phase.value for step in session.plan.steps
        ]
        assert msgspec.convert(plain, SessionTelemetry) == told
        assert "settings" not in plain
        with pytest.raises(SessionError) as refused:
            session.telemetry(version=2)
    assert (
        str(refused.value) == "telemetry of version 2 is not known; there is version 1"
    )
    with pytest.raises(SessionError, match="is closed; open another one"):
        session.telemetry()


def test_totals_of_a_payload_are_those_of_the_session_alone() -> None:
    plan = plan_session(SessionProfile(name="told"))
    with open_session(plan) as one, open_session(plan) as other:
        one.sql("SELECT 1")

        assert one.telemetry().totals["dfsession.queries"] == 1
        assert other.telemetry().totals["dfsession.queries"] == 0


@pytest.mark.demand("D20")
def test_a_session_is_recorded_once_after_all_of_its_phases() -> None:
    recorder = Recorder("run")
    wrong = SessionProfile(name="told", settings={"datafusion.nothing": "1"})
    with pytest.raises(SettingError):
        open_session(plan_session(wrong), recorder=recorder)
    assert not recorder.entries

    plan = plan_session(SessionProfile(name="told"))
    with open_session(plan, recorder=recorder) as session:
        (entry,) = recorder.entries

        assert isinstance(entry.payload, SessionTelemetry)
        assert len(entry.payload.phases) == len(session.report.phases)
