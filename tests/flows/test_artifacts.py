from flows.artifacts import slug


def test_keys_are_what_prefect_allows() -> None:
    assert slug("imp@base-0-round3") == "imp-base-0-round3"
    assert slug("Pool@wide_28.10-0") == "pool-wide-28-10-0"
