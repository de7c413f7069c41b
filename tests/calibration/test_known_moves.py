"""What is shipped about moves in clips whose camera is known."""

from lab.calibration.known_moves import RIGHT, current_versions, load_known_moves


def test_the_shipped_shares_were_measured_with_this_version_of_motion() -> None:
    """The report cites them; other versions of motion would have other shares."""
    known = load_known_moves()
    assert known.versions == current_versions()
    shares = {share.name: share for share in known.shares}
    assert {RIGHT, "moves", "static", "cannot tell"} <= set(shares)
    assert all(0 <= share.estimate.value <= 1 for share in shares.values())
    assert shares[RIGHT].scenes <= shares[RIGHT].judgements
